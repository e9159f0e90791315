package configfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Bounds of what is read, far above any honest configuration.
const (
	maxDepth    = 16      // files that include one another
	maxFiles    = 1000    // files in all
	maxFileSize = 4 << 20 // bytes of one file
	maxPath     = 4096    // bytes of a name: Linux has no longer one
)

// reader feeds the files of a configuration to the parser.
type reader struct {
	parser
	fsys  fs.FS
	files []string // read so far, in that order
	stack []string // files being read, the including ones first
}

// isInclude reports whether word brings in other files.
func isInclude(word string) bool {
	switch word {
	case "include", "includer", "includem", "includew", "includeb", "includea":
		return true
	}
	return false
}

// file reads one file, at whose place the complaint goes if that fails.
func (r *reader) file(name string, at Position) {
	switch {
	case slices.Contains(r.stack, name):
		r.error(at, "remove one of the include lines: "+strings.Join(append(r.stack, name), " → "),
			"%s includes itself", name)
		return
	case len(r.stack) == maxDepth:
		r.error(at, "put the files side by side instead", "more than %d files include one another", maxDepth)
		return
	case len(r.files) == maxFiles:
		r.error(at, "include fewer files", "the configuration has more than %d files", maxFiles)
		return
	}
	content, err := r.content(name, at)
	if err != nil {
		r.all = append(r.all, Diagnostic{Position: at, Severity: Error, Cause: err,
			Text: fmt.Sprintf("%s cannot be read: %v", name, reason(err)), Hint: remedy(err)})
		return
	}
	r.files = append(r.files, name)
	r.stack = append(r.stack, name)
	r.lines(name, content)
	r.stack = r.stack[:len(r.stack)-1]
}

// content returns what is in a file. Only regular files are opened: a FIFO would block, a device would never end.
func (r *reader) content(name string, at Position) (string, error) {
	inside := inFS(name)
	info, err := fs.Stat(r.fsys, inside)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("it is not a regular file")
	}
	if info.Mode()&0o111 != 0 {
		r.hazard(at, "chmod a-x "+name, "%s is executable: keepalived refuses such a file", name)
	}
	f, err := r.fsys.Open(inside)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err == nil && len(b) > maxFileSize {
		err = fmt.Errorf("it is larger than %d MiB", maxFileSize>>20)
	}
	return string(b), err
}

// lines feeds the lines of one file.
func (r *reader) lines(name, content string) {
	skipping := false // inside a definition that goes on
	number := 0
	for line := range strings.Lines(content) {
		number++
		line = strings.TrimRight(line, "\r\n")
		at := Position{name, number, 1}
		if skipping {
			skipping = strings.HasSuffix(line, `\`)
			continue
		}
		if r.unreadable(line, at) {
			continue
		}
		plain := r.untemplated(line, at)
		skipping = plain == "" && strings.HasSuffix(line, `\`)
		r.oneLine(plain, at.right(len(line)-len(plain)))
	}
}

// unreadable complains about a line of which keepalived makes nothing; true means that it is not to be read.
func (r *reader) unreadable(line string, at Position) bool {
	if i := strings.IndexByte(line, 0); i >= 0 {
		r.error(at.right(i), "remove it: the file is damaged or is no text", "a NUL byte in the line")
		return true
	}
	if len(line) >= maxLine {
		r.hazard(at, "split it", "the line is %d bytes long: keepalived drops lines from %d bytes on", len(line), maxLine)
	}
	return false
}

// untemplated complains about the parts of the language that write other lines, and returns what is left to read of
// such a line: nothing, unless its braces are needed to follow the rest of the file. They are errors because nobody
// can say what the file means without them.
func (r *reader) untemplated(line string, at Position) string {
	body := strings.TrimLeft(line, " \t")
	end, what := " ", ""
	switch {
	case strings.HasPrefix(body, "$"):
		what = "a definition ($NAME=value)"
	case strings.HasPrefix(body, "@"):
		what = "a conditional line (@ID)"
	case strings.HasPrefix(body, "~SEQ"), strings.HasPrefix(body, "~LST"):
		end, what = ")", "a repeated line (~SEQ, ~LST)"
	default:
		return line
	}
	r.error(at.right(len(line)-len(body)), "write out what the line stands for",
		"%s is known to keepalived, not yet understood by standfast", what)
	_, rest, _ := strings.Cut(body, end)
	if body[0] == '$' || !strings.ContainsAny(rest, "{}") {
		return ""
	}
	return rest
}

// oneLine reads one ordinary line.
func (r *reader) oneLine(line string, at Position) {
	pieces := r.cut(line, at)
	if len(pieces) > 0 && pieces[0].kind == text {
		if w := words(pieces[0]); len(w) > 0 && isInclude(w[0].text) {
			r.include(w)
			pieces = pieces[1:]
		}
	}
	r.line(pieces)
}

// include reads the files an include line names, in order.
func (r *reader) include(w []word) {
	r.pending = nil
	if len(w) != 2 {
		r.error(w[0].pos, `write it as: include conf.d/*.conf`, "%s takes one file name or pattern", w[0].text)
		return
	}
	pattern := w[1].text
	if !path.IsAbs(pattern) {
		pattern = path.Join(path.Dir(w[1].pos.File), pattern)
	}
	if len(pattern) > maxPath {
		r.error(w[1].pos, "use a shorter one", "a name of %d bytes is longer than any path", len(pattern))
		return
	}
	spelled, ok := alternatives(pattern)
	if !ok {
		r.error(w[1].pos, "use a pattern with *", "%s stands for more than %d files", w[1].text, maxFiles)
		return
	}
	var all []string
	for _, one := range spelled {
		found, err := r.glob(path.Clean(one))
		if err != nil {
			r.error(w[1].pos, "close the [ ] in it", "%s is no valid pattern", w[1].text)
			return
		}
		if len(found) == 0 && strings.ContainsAny(w[0].text[len("include"):], "ba") {
			r.error(w[1].pos, "", "%s finds no file %s", w[0].text, one)
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		r.nothing(w[0].text, w[1], pattern)
	}
	for _, name := range all {
		r.file(name, w[1].pos)
	}
}

// nothing complains, as loud as the keyword wants it, that an include names no file at all.
func (r *reader) nothing(keyword string, pattern word, full string) {
	wild := strings.ContainsAny(full, "*?[")
	switch {
	case strings.ContainsAny(keyword[len("include"):], "ba"): // said already
	case keyword == "includew", keyword == "includem" && !wild:
		r.error(pattern.pos, "", "%s finds no file %s", keyword, full)
	case wild:
		r.note(pattern.pos, "", "no file matches %s", full)
	default:
		r.hazard(pattern.pos, "check the name; it is relative to the including file", "there is no file %s", full)
	}
}

// glob returns the files that match one absolute pattern, sorted. As in a shell, a hidden file is matched only by a
// pattern that spells its dot.
func (r *reader) glob(pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, `*?[\`) {
		if _, err := fs.Stat(r.fsys, inFS(pattern)); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return []string{pattern}, nil // there, or unreadable, which reading it will say
	}
	found, err := fs.Glob(r.fsys, inFS(pattern))
	if err != nil {
		return nil, err
	}
	want := strings.Split(inFS(pattern), "/")
	var visible []string
	for _, name := range found {
		hidden := false
		for i, part := range strings.Split(name, "/") {
			hidden = hidden || part[0] == '.' && want[i][0] != '.'
		}
		if !hidden {
			visible = append(visible, "/"+name)
		}
	}
	return visible, nil
}

// alternatives expands {a,b} in a pattern: "x{a,b}y" stands for "xay" and "xby". It gives up, and returns false,
// where that makes more patterns than files may be read.
func alternatives(pattern string) ([]string, bool) {
	all := []string{pattern}
	for {
		before, rest, found := strings.Cut(all[0], "{")
		if _, _, closed := strings.Cut(rest, "}"); !found || !closed {
			return all, true
		}
		var next []string
		for _, one := range all {
			before, rest, _ = strings.Cut(one, "{")
			inside, after, _ := strings.Cut(rest, "}")
			for choice := range strings.SplitSeq(inside, ",") {
				if len(next) == maxFiles {
					return nil, false
				}
				next = append(next, before+choice+after)
			}
		}
		all = next
	}
}

// inFS turns an absolute path into the form an fs.FS rooted at / takes.
func inFS(name string) string {
	if name == "/" {
		return "."
	}
	return name[1:]
}

// reason strips what a sentence already says, operation and path, from an error of the file system.
func reason(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// remedy says what to do about a file that cannot be read.
func remedy(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "check the path"
	case errors.Is(err, fs.ErrPermission):
		return "run standfast as root; its unit takes from root the right to read what others keep to themselves: chown root the file"
	}
	return ""
}
