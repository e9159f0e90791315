package migrate

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// setting is a line of a unit file.
type setting struct {
	file, section, key, value string
}

// settings reads a unit file and its drop-ins, in that order.
func settings(files fs.FS, u Unit) (all []setting) {
	for _, file := range append([]string{u.Fragment}, u.DropIns...) {
		if file == "" {
			continue
		}
		section := ""
		for line := range strings.Lines(strings.ReplaceAll(text(files, file), "\\\n", " ")) {
			line = strings.TrimSpace(line)
			key, value, found := strings.Cut(line, "=")
			switch {
			case line == "" || line[0] == '#' || line[0] == ';':
			case line[0] == '[':
				section = strings.Trim(line, "[]")
			case found:
				all = append(all, setting{file, section, strings.TrimSpace(key), strings.TrimSpace(value)})
			}
		}
	}
	return all
}

// launch is how a unit starts its program.
type launch struct {
	command string   // ExecStart as written
	words   []string // the same with its variables filled in; empty where it is unknown
	sources []string // the environment files that may be read for it, the last one counts
	files   []string // the environment files that were read for it
	missing []string // those that have to be there and are not
}

// launched finds out how a unit starts its program, as systemd does.
func launched(files fs.FS, all []setting) (l launch) {
	environment := map[string]string{}
	var sources []string
	for _, s := range all {
		if s.section != "Service" {
			continue
		}
		switch s.key {
		case "ExecStart":
			l.command = s.value
		case "Environment":
			for _, word := range split(s.value) {
				name, value, _ := strings.Cut(word, "=")
				environment[name] = value
			}
		case "EnvironmentFile":
			if s.value == "" {
				sources = nil
				continue
			}
			sources = append(sources, s.value)
		}
	}
	for _, source := range sources { // over what Environment= says, wherever that stands
		name, optional := strings.CutPrefix(source, "-")
		l.sources = append(l.sources, name)
		if _, err := fs.Stat(files, strings.TrimPrefix(name, "/")); err != nil {
			if !optional {
				l.missing = append(l.missing, name)
			}
			continue
		}
		l.files = append(l.files, name)
		for key, value := range variables(text(files, name)) {
			environment[key] = value
		}
	}
	l.words = expand(split(strings.TrimLeft(l.command, "-@:+!")), environment)
	if prefix, _, _ := strings.Cut(l.command, "/"); strings.Contains(prefix, "@") && len(l.words) > 1 {
		l.words = slices.Delete(l.words, 1, 2) // the name that the program is given
	}
	return l
}

// expand fills variables in: $NAME as a word of its own becomes as many words as its value has, ${NAME} stays in its word.
func expand(words []string, environment map[string]string) (all []string) {
	for _, word := range words {
		if name, ok := strings.CutPrefix(word, "$"); ok && name != "" && strings.Trim(name, nameLetters) == "" {
			all = append(all, split(environment[name])...)
			continue
		}
		for name, value := range environment {
			word = strings.ReplaceAll(word, "${"+name+"}", value)
		}
		all = append(all, word)
	}
	return all
}

// nameLetters are what the name of a variable is made of.
const nameLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

// variables reads an environment file. The last assignment of a name counts.
func variables(content string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(strings.ReplaceAll(content, "\\\n", "")) {
		line = strings.TrimSpace(line)
		name, value, found := strings.Cut(line, "=")
		if !found || line[0] == '#' || line[0] == ';' {
			continue
		}
		all[strings.TrimSpace(name)] = unquote(strings.TrimSpace(value))
	}
	return all
}

// unquote takes one pair of quotes off a value.
func unquote(value string) string {
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		return value[1 : n-1]
	}
	return value
}

// split cuts a line into words at blanks that no quotes protect.
func split(line string) (words []string) {
	var word strings.Builder
	quote, inside := rune(0), false
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inside = c, true
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n'):
			if inside {
				words = append(words, word.String())
				word.Reset()
			}
			inside = false
		default:
			word.WriteRune(c)
			inside = true
		}
	}
	if inside {
		words = append(words, word.String())
	}
	return words
}

// isProgram says that a command line starts a program itself, wherever that lies.
func (l launch) isProgram(name string) bool { return len(l.words) > 0 && path.Base(l.words[0]) == name }
