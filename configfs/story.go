package configfs

import (
	_ "embed" // the story's configuration
	"strconv"
	"strings"
)

//go:embed story.conf
var story string

// Story returns the configuration that standfast was made for, with a router's own router_id and priority
// (1 … 255) in it. The laboratory runs it, and a test keeps it free of complaints.
func Story(routerID string, priority uint8) []byte {
	own := strings.NewReplacer(
		"router_id RTR-CORE-A", "router_id "+routerID,
		"priority 100", "priority "+strconv.Itoa(int(priority)),
	)
	return []byte(own.Replace(story))
}
