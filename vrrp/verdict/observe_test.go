package verdict

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// window is the doubt window of the tests: an advert interval of one second and a priority near 128.
const window = 2 * time.Second

// silentPort is a serving port on which the peer would have been heard.
func silentPort() PortReading {
	return PortReading{Link: LinkUp, VIP: ReplySilent, Calibrated: true, Witness: true}
}

// portWith returns a silent, calibrated, witnessed port with something else about it.
func portWith(change func(*PortReading)) PortReading {
	p := silentPort()
	change(&p)
	return p
}

// dark is what a BACKUP reads some milliseconds after its peer lost power.
func dark() Readings {
	return Readings{
		Doubting:  true,
		Doubt:     20 * time.Millisecond,
		Carrier:   true,
		Served:    Age{Known: true, D: 400 * time.Millisecond},
		Late:      time.Millisecond,
		Routers:   1,
		Heartbeat: LinkDown,
		Ports:     []PortReading{silentPort(), silentPort()},
	}
}

func TestObservePowerOff(t *testing.T) {
	if diff := cmp.Diff(powerOff(), Observe(dark(), Thresholds{Window: window})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestObserveWithoutDoubt(t *testing.T) {
	for _, link := range every(numLinks) {
		r := dark()
		r.Doubting, r.Heartbeat = false, link
		got := Observe(r, Thresholds{Window: window})
		if diff := cmp.Diff(Evidence{Heartbeat: link}, got); diff != "" {
			t.Errorf("heartbeat %v (-want +got)\n%s", link, diff)
		}
		if v := Judge(got); v.Finding != None || v.Act != ActNone {
			t.Errorf("heartbeat %v: %+v", link, v)
		}
	}
	if got := Observe(Readings{}, Thresholds{}); got != (Evidence{}) {
		t.Errorf("nothing was read, but %v", got)
	}
}

func TestObserveVoice(t *testing.T) {
	heard := func(d time.Duration) Age { return Age{Known: true, D: d} }
	const doubt = 10 * time.Second // older than the window
	for _, c := range []struct {
		name          string
		doubt         time.Duration
		served, lived Age
		want          Voice
	}{
		{"never heard anything", doubt, Age{}, Age{}, VoiceSilent},
		{"an age that is not known is no age", doubt, Age{D: 1}, Age{D: 1}, VoiceSilent},
		{"served now", doubt, heard(0), Age{}, VoiceServes},
		{"served just inside the window", doubt, heard(window - 1), Age{}, VoiceServes},
		{"served at the window", doubt, heard(window), Age{}, VoiceServes},
		{"served just outside the window", doubt, heard(window + 1), Age{}, VoiceSilent},
		{"served after a young doubt began", time.Second, heard(time.Second - 1), Age{}, VoiceServes},
		{"served in the moment the doubt began", time.Second, heard(time.Second), Age{}, VoiceSilent},
		{"served before the doubt began", time.Second, heard(time.Second + 1), Age{}, VoiceSilent},
		{"served before a doubt that begins now", 0, heard(0), Age{}, VoiceSilent},
		{"lives now", doubt, Age{}, heard(0), VoiceLives},
		{"lives just inside the window", doubt, Age{}, heard(window - 1), VoiceLives},
		{"lives at the window", doubt, Age{}, heard(window), VoiceLives},
		{"lives just outside the window", doubt, Age{}, heard(window + 1), VoiceSilent},
		{"lived after a young doubt began", time.Second, Age{}, heard(time.Second - 1), VoiceLives},
		{"lived in the moment the doubt began", time.Second, Age{}, heard(time.Second), VoiceSilent},
		{"lived before the doubt began", time.Second, Age{}, heard(time.Second + 1), VoiceSilent},
		{"service is more than life", doubt, heard(time.Second), heard(0), VoiceServes},
		{"life outlasts a stale service", doubt, heard(window + 1), heard(0), VoiceLives},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := dark()
			r.Doubt, r.Served, r.Lived = c.doubt, c.served, c.lived
			if got := Observe(r, Thresholds{Window: window}).Voice; got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestObserveVoiceLatchesNothing lets a doubt grow old after a last sign of life: the finding must not stay with it.
// TestObservePowered says that a partner with power is more than silence and less than life, and nothing without a doubt.
func TestObservePowered(t *testing.T) {
	r := dark()
	r.Powered = true
	for _, c := range []struct {
		name   string
		change func(*Readings)
		want   Voice
	}{
		{"nothing else", func(*Readings) {}, VoicePowered},
		{"it lives as well", func(r *Readings) { r.Doubt, r.Served, r.Lived = 10*time.Second, Age{}, Age{Known: true} }, VoiceLives},
		{"it serves as well", func(r *Readings) { r.Doubt, r.Served = 10*time.Second, Age{Known: true} }, VoiceServes},
		{"a life that is over", func(r *Readings) { r.Doubt, r.Served, r.Lived = 10*time.Second, Age{}, Age{Known: true, D: window + 1} }, VoicePowered},
		{"no doubt", func(r *Readings) { r.Doubting = false }, VoiceUnknown},
	} {
		got := r
		c.change(&got)
		if got := Observe(got, Thresholds{Window: window}).Voice; got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// TestObserveStorage says that the state of the storage is evidence as it was read, with a doubt and without.
func TestObserveStorage(t *testing.T) {
	for _, s := range every(numStorages) {
		for _, doubting := range []bool{false, true} {
			r := dark()
			r.Storage, r.Doubting = s, doubting
			if got := Observe(r, Thresholds{Window: window}).Storage; got != s {
				t.Errorf("doubting %v: got %v, want %v", doubting, got, s)
			}
		}
	}
}

func TestObserveVoiceLatchesNothing(t *testing.T) {
	r := dark()
	for age := time.Duration(0); age <= 2*window; age += window / 8 {
		r.Doubt, r.Served = age+time.Millisecond, Age{Known: true, D: age}
		want := PeerAlive
		if age > window {
			want = PeerDead
		}
		if v := Judge(Observe(r, Thresholds{Window: window})); v.Finding != want {
			t.Errorf("%v after the last advert: %v, want %v", age, v.Rule, want)
		}
	}
}

func TestObserveSelf(t *testing.T) {
	for _, c := range []struct {
		name     string
		late     time.Duration
		listened bool
		window   time.Duration
		want     Self
	}{
		{"never late", 0, false, window, SelfOnTime},
		{"just below the window", window - 1, false, window, SelfOnTime},
		{"at the window", window, false, window, SelfOnTime},
		{"just above the window", window + 1, false, window, SelfLate},
		{"above the window, but has listened", window + 1, true, window, SelfOnTime},
		{"has listened without need", 0, true, window, SelfOnTime},
		{"no window given", 0, false, 0, SelfUnknown},
		{"a window that makes no sense", time.Hour, true, -1, SelfUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := dark()
			r.Late, r.Listened = c.late, c.listened
			if got := Observe(r, Thresholds{Window: c.window}).Self; got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestObserveWithoutWindow(t *testing.T) {
	r := dark()
	r.Doubt, r.Served = time.Hour, Age{Known: true, D: time.Hour - 1}
	v := Judge(Observe(r, Thresholds{}))
	if v.Finding != PeerAlive {
		t.Errorf("without a window a proof of service never grows stale, got %v", v.Rule)
	}
	r.Served = Age{}
	if v := Judge(Observe(r, Thresholds{})); v.Finding == PeerDead {
		t.Errorf("without a window our lateness is not known, got %v", v.Rule)
	}
}

// The shortest window is one, and it is one.
func TestObserveWithTheShortestWindow(t *testing.T) {
	r := dark()
	r.Doubt, r.Late = time.Hour, 2
	for age, want := range map[time.Duration]Voice{1: VoiceServes, 2: VoiceSilent} {
		r.Served = Age{Known: true, D: age}
		got := Observe(r, Thresholds{Window: 1})
		if got.Voice != want || got.Self != SelfLate {
			t.Errorf("served %v ago and late by %v: %v and %v, want %v and %v", age, r.Late, got.Voice, got.Self, want, SelfLate)
		}
	}
}

func TestObserveCrowd(t *testing.T) {
	for _, c := range []struct {
		name    string
		carrier bool
		routers int
		want    Crowd
	}{
		{"carrier lost, nobody was ever heard", true, 0, CrowdAlone},
		{"carrier lost, only the peer was ever heard", true, 1, CrowdAlone},
		{"carrier lost, two others were heard", true, 2, CrowdSeveral},
		{"carrier lost, a crowd was heard", true, 200, CrowdSeveral},
		{"carrier lost, nobody counted", true, -1, CrowdUnknown},
		{"silence, two others were heard: skew orders them", false, 2, CrowdAlone},
		{"silence, nobody counted", false, -1, CrowdAlone},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := dark()
			r.Carrier, r.Routers = c.carrier, c.routers
			if got := Observe(r, Thresholds{Window: window}).Crowd; got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// portCases are readings of ports and what they are together.
func portCases() []portCase {
	up := func(change func(*PortReading)) PortReading { return portWith(change) }
	link := func(l Link) PortReading { return PortReading{Link: l} }
	cable := PortReading{Link: LinkDown, HeartbeatOnly: true}
	return []portCase{
		{"no port at all", nil,
			ReplyUnknown, ServingUnknown, SilenceUnknown},
		{"only the cable", []PortReading{cable},
			ReplyUnknown, ServingUnknown, SilenceUnknown},
		{"a cable with carrier serves nobody", []PortReading{{Link: LinkUp, HeartbeatOnly: true}},
			ReplyUnknown, ServingUnknown, SilenceUnknown},
		{"one silent port", []PortReading{silentPort()},
			ReplySilent, ServingAll, SilenceCalibrated},
		{"one silent port beside the cable", []PortReading{cable, silentPort()},
			ReplySilent, ServingAll, SilenceCalibrated},
		{"the silence of a cable is worth nothing", []PortReading{up(func(p *PortReading) { p.HeartbeatOnly = true })},
			ReplySilent, ServingUnknown, SilenceUnknown},
		{"an answer over the cable is an answer", []PortReading{{Link: LinkUp, HeartbeatOnly: true, VIP: ReplyPeer}, silentPort()},
			ReplyPeer, ServingAll, SilenceCalibrated},
		{"never calibrated", []PortReading{up(func(p *PortReading) { p.Calibrated = false })},
			ReplySilent, ServingAll, SilenceUncalibrated},
		{"no witness", []PortReading{up(func(p *PortReading) { p.Witness = false })},
			ReplySilent, ServingAll, SilenceUncalibrated},
		{"blind", []PortReading{up(func(p *PortReading) { p.Blind = true })},
			ReplySilent, ServingAll, SilenceUncalibrated},
		{"mute", []PortReading{up(func(p *PortReading) { p.Mute = true })},
			ReplySilent, ServingAll, SilenceUncalibrated},
		{"silent, and lost its carrier since", []PortReading{up(func(p *PortReading) { p.Link = LinkDown })},
			ReplySilent, ServingNone, SilenceUncalibrated},
		{"silent, and its link is not known", []PortReading{up(func(p *PortReading) { p.Link = LinkUnknown })},
			ReplySilent, ServingUnknown, SilenceUncalibrated},
		{"one of two calibrated is enough", []PortReading{up(func(p *PortReading) { p.Calibrated = false }), silentPort()},
			ReplySilent, ServingAll, SilenceCalibrated},
		{"one of two calibrated, in the other order", []PortReading{silentPort(), up(func(p *PortReading) { p.Calibrated = false })},
			ReplySilent, ServingAll, SilenceCalibrated},
		{"the peer answers on one of two", []PortReading{silentPort(), {Link: LinkUp, VIP: ReplyPeer}},
			ReplyPeer, ServingAll, SilenceCalibrated},
		{"only a broadcast is answered where a unicast was calibrated", []PortReading{up(func(p *PortReading) { p.VIP = ReplyUnconfirmed })},
			ReplyUnconfirmed, ServingAll, SilenceCalibrated},
		{"a stranger answers where the peer used to", []PortReading{up(func(p *PortReading) { p.VIP = ReplyStranger })},
			ReplyStranger, ServingAll, SilenceCalibrated},
		{"the strongest answer counts", []PortReading{silentPort(), {Link: LinkUp, VIP: ReplyStranger}, {Link: LinkUp, VIP: ReplyUnconfirmed}},
			ReplyStranger, ServingAll, SilenceCalibrated},
		{"the burst still runs on one port", []PortReading{silentPort(), link(LinkUp)},
			ReplyUnknown, ServingAll, SilenceCalibrated},
		{"the burst still runs on a port of unknown link", []PortReading{link(LinkUnknown), silentPort()},
			ReplyUnknown, ServingSome, SilenceCalibrated},
		{"the burst still runs, and a stranger answers elsewhere", []PortReading{link(LinkUp), up(func(p *PortReading) { p.VIP = ReplyStranger })},
			ReplyUnknown, ServingAll, SilenceCalibrated},
		{"the burst still runs, and the peer answers elsewhere", []PortReading{link(LinkUp), {Link: LinkUp, VIP: ReplyPeer}},
			ReplyPeer, ServingAll, SilenceUnknown},
		{"a port without carrier cannot be asked", []PortReading{silentPort(), link(LinkDown)},
			ReplySilent, ServingSome, SilenceCalibrated},
		{"a port taken down cannot be asked", []PortReading{silentPort(), link(LinkAdminDown)},
			ReplySilent, ServingSome, SilenceCalibrated},
		{"a port that is gone cannot be asked", []PortReading{silentPort(), link(LinkGone)},
			ReplySilent, ServingSome, SilenceCalibrated},
		{"a tracked port has nothing to ask for", []PortReading{silentPort(), {Link: LinkUp, NoVIP: true}},
			ReplySilent, ServingAll, SilenceCalibrated},
		{"only a tracked port", []PortReading{{Link: LinkUp, NoVIP: true}},
			ReplyUnknown, ServingAll, SilenceUnknown},
		{"all without carrier, each for another reason", []PortReading{cable, link(LinkDown), link(LinkAdminDown), link(LinkGone)},
			ReplyUnknown, ServingNone, SilenceUnknown},
		{"all without carrier, but for one that is not known", []PortReading{link(LinkDown), link(LinkUnknown)},
			ReplyUnknown, ServingUnknown, SilenceUnknown},
		{"a cable with carrier isolates no less", []PortReading{{Link: LinkUp, HeartbeatOnly: true}, link(LinkDown)},
			ReplyUnknown, ServingNone, SilenceUnknown},
	}
}

type portCase struct {
	name    string
	ports   []PortReading
	vip     Reply
	serving Serving
	silence Silence
}

func TestObservePorts(t *testing.T) {
	for _, c := range portCases() {
		t.Run(c.name, func(t *testing.T) {
			r := dark()
			r.Ports = c.ports
			got := Observe(r, Thresholds{Window: window})
			want := powerOff()
			want.VIP, want.Serving, want.Silence = c.vip, c.serving, c.silence
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// everyPort is every reading that one port can have.
func everyPort() []PortReading {
	var all []PortReading
	for _, link := range every(numLinks) {
		for _, reply := range every(numReplies) {
			for flags := range 64 {
				flag := func(bit int) bool { return flags>>bit&1 == 1 }
				all = append(all, PortReading{Link: link, VIP: reply, HeartbeatOnly: flag(0), NoVIP: flag(1),
					Calibrated: flag(2), Witness: flag(3), Blind: flag(4), Mute: flag(5)})
			}
		}
	}
	return all
}

// TestObserveOneProvingPort says which single port proves a death, over every reading that a port can have.
func TestObserveOneProvingPort(t *testing.T) {
	proving := 0
	for _, p := range everyPort() {
		r := dark()
		r.Ports = []PortReading{p}
		v := Judge(Observe(r, Thresholds{Window: window}))
		want := p.Link == LinkUp && !p.HeartbeatOnly && p.Calibrated && p.Witness && !p.Blind && !p.Mute &&
			(p.VIP == ReplySilent || p.VIP == ReplyUnconfirmed || p.VIP == ReplyStranger)
		if got := v.Finding == PeerDead; got != want {
			t.Fatalf("%+v: %v, want peer-dead %v", p, v.Rule, want)
		}
		if want {
			proving++
		}
	}
	if proving == 0 {
		t.Error("no port proves anything")
	}
}

// TestObserveMonotone puts every reading of a second port beside a port that proves a death, and beside one that does
// not: a heartbeat-only port changes nothing but by an answer, and no port that has failed makes a death out of none.
func TestObserveMonotone(t *testing.T) {
	judge := func(ports ...PortReading) Finding {
		r := dark()
		r.Ports = ports
		return Judge(Observe(r, Thresholds{Window: window})).Finding
	}
	undecided := portWith(func(p *PortReading) { p.Calibrated = false })
	for _, p := range everyPort() {
		if p.HeartbeatOnly {
			if got := judge(undecided, p); got == PeerDead {
				t.Fatalf("a heartbeat-only port makes a death: %+v", p)
			}
			want := PeerDead
			if p.VIP == ReplyPeer {
				want = Contested
			}
			if got := judge(silentPort(), p); got != want {
				t.Fatalf("a proof beside the heartbeat-only port %+v: %v, want %v", p, got, want)
			}
		}
		if p.VIP == ReplyPeer {
			if got := judge(silentPort(), p); got != Contested {
				t.Fatalf("the peer answers on %+v, but %v", p, got)
			}
		}
		if p.VIP == ReplyUnknown {
			continue // an open question that fails with its port: the other ports decide
		}
		failed := p
		for _, failed.Link = range []Link{LinkDown, LinkAdminDown, LinkGone} {
			if judge(p) != PeerDead && judge(failed) == PeerDead {
				t.Fatalf("%+v is no death, but it is with link %v", p, failed.Link)
			}
			if judge(undecided, p) != PeerDead && judge(undecided, failed) == PeerDead {
				t.Fatalf("%+v beside another port is no death, but it is with link %v", p, failed.Link)
			}
		}
	}
}

// TestObserveOrder says that the order of the ports is nobody's business.
func TestObserveOrder(t *testing.T) {
	for _, c := range portCases() {
		r := dark()
		r.Ports = c.ports
		want := Observe(r, Thresholds{Window: window})
		reversed := make([]PortReading, 0, len(c.ports))
		for i := range c.ports {
			reversed = append(reversed, c.ports[len(c.ports)-1-i])
		}
		r.Ports = reversed
		if diff := cmp.Diff(want, Observe(r, Thresholds{Window: window})); diff != "" {
			t.Errorf("%s, reversed (-want +got)\n%s", c.name, diff)
		}
	}
}
