package configfs

import (
	"io/fs"
	"path"
)

// Load reads the configuration file name and everything it includes from fsys, which is rooted at "/"; name may be
// written with or without the leading slash. It never panics and never stops at the first complaint: the
// Diagnostics are all there is to say, and the Config is to be run only when none of them is an Error.
func Load(fsys fs.FS, name string) (Config, Diagnostics) {
	name = path.Clean("/" + name)
	c := &collector{}
	r := &reader{parser: parser{collector: c}, fsys: fsys}
	r.file(name, Position{File: name})
	if len(r.files) == 0 {
		return Config{}, c.sorted() // the one complaint that matters has been made
	}
	r.finish()
	d := &decoder{collector: c, fsys: fsys, defaults: defaults(), config: Config{Files: r.files}}
	walk(d, atRoot, r.root, rootWords, d)
	d.complete()
	return d.config, c.sorted()
}
