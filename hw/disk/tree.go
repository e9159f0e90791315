package disk

import (
	"io/fs"
	"path"
	"strings"
)

// maxLinks is how many symbolic links are followed on the way to one file, as in the kernel.
const maxLinks = 40

// resolve follows every symbolic link of an absolute path within a tree whose root is "/", and returns the path without its
// leading slash, "" for the root. From the first component that does not exist on, the rest is taken as it is.
func resolve(tree fs.FS, name string) string {
	done, rest := "", strings.TrimPrefix(path.Clean("/"+name), "/")
	for links := 0; rest != ""; {
		var first string
		first, rest, _ = strings.Cut(rest, "/")
		next := path.Join(done, first)
		target, err := fs.ReadLink(tree, next)
		if err != nil || links == maxLinks { // no link, or not there
			done = next
			continue
		}
		links++
		if !path.IsAbs(target) {
			target = "/" + path.Join(done, target)
		}
		done, rest = "", strings.TrimPrefix(path.Join("/", target, rest), "/")
	}
	return done
}

// follow resolves a path and says whether something is there.
func follow(tree fs.FS, name string) (string, bool) {
	dir := resolve(tree, name)
	_, err := fs.Stat(tree, dir)
	return dir, err == nil
}
