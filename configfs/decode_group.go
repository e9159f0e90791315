package configfs

// groupWords are the keywords understood in vrrp_sync_group.
var groupWords = keywords[*Group]{
	"group":         (*decoder).members,
	"notify":        func(d *decoder, s *statement, g *Group) { d.notify(s, &g.Notify) },
	"notify_master": func(d *decoder, s *statement, g *Group) { d.notify(s, &g.Notify) },
	"notify_backup": func(d *decoder, s *statement, g *Group) { d.notify(s, &g.Notify) },
	"notify_fault":  func(d *decoder, s *statement, g *Group) { d.notify(s, &g.Notify) },
	"notify_stop":   func(d *decoder, s *statement, g *Group) { d.notify(s, &g.Notify) },
}

func (d *decoder) group(s *statement, _ *decoder) {
	if !d.blockOf(s, 1) {
		return
	}
	g := Group{Name: s.args()[0].text, Pos: s.args()[0].pos}
	walk(d, inGroup, s.body, groupWords, &g)
	d.config.Groups = append(d.config.Groups, g)
}

func (d *decoder) members(s *statement, g *Group) {
	if !d.blockOf(s, 0) {
		return
	}
	for _, w := range d.list(s) {
		g.Members = append(g.Members, Member{w.text, w.pos})
	}
}
