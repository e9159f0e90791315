package configfs

import "io/fs"

// Load reads the configuration file name and everything it includes from fsys, which is rooted at "/"; name may be
// written with or without the leading slash. It never panics and never stops at the first complaint: the
// Diagnostics are all there is to say, and the Config is to be run only when none of them is an Error.
func Load(fsys fs.FS, name string) (Config, Diagnostics) {
	return Config{}, nil
}
