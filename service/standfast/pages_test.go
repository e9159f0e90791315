package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestManualForm has mandoc look for mistakes that every system's man would stumble over.
func TestManualForm(t *testing.T) {
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Skip("no mandoc on this host: apt-get install mandoc")
	}
	pages, err := filepath.Glob("../../packaging/man/*.[58]")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%v, %d pages", err, len(pages))
	}
	for _, page := range pages {
		if text, err := exec.Command(mandoc, "-T", "lint", "-W", "warning", page).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
}

// headings are the anchors that GitHub makes of a page's headings.
func headings(page string) map[string]bool {
	all := map[string]bool{}
	for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		text := regexp.MustCompile("[^a-z0-9 -]").ReplaceAllString(strings.ToLower(h[1]), "")
		all[strings.ReplaceAll(text, " ", "-")] = true
	}
	return all
}

// TestLinks follows the links between the pages of this tree.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%v, %d pages", err, len(pages))
	}
	link := regexp.MustCompile(`[^!]\[[^]]*\]\(([^)]*)\)`)
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range link.FindAllStringSubmatch(string(text), -1) {
			name, anchor, _ := strings.Cut(l[1], "#")
			if strings.Contains(name, "://") {
				continue
			}
			target := page
			if name != "" {
				target = filepath.Join(filepath.Dir(page), name)
			}
			there, err := os.ReadFile(target)
			if err != nil {
				t.Errorf("%s: %v", page, err)
			} else if anchor != "" && !headings(string(there))[anchor] {
				t.Errorf("%s: %s has no heading %s", page, target, anchor)
			}
		}
	}
}
