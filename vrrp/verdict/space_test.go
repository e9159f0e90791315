package verdict

import "iter"

// everyEvidence yields the whole evidence space, consistent or not.
func everyEvidence() iter.Seq[Evidence] {
	return func(yield func(Evidence) bool) {
		for voice := range numVoices {
			for self := range numSelves {
				for vip := range numReplies {
					for serving := range numServings {
						for silence := range numSilences {
							for crowd := range numCrowds {
								for heartbeat := range numLinks {
									if !yield(Evidence{voice, self, vip, serving, silence, crowd, heartbeat}) {
										return
									}
								}
							}
						}
					}
				}
			}
		}
	}
}

// everyRivalry yields the whole space of rivalries.
func everyRivalry() iter.Seq[Rivalry] {
	return func(yield func(Rivalry) bool) {
		for exchange := range numExchanges {
			for youth := range numYouths {
				for rival := range numRivals {
					for everywhere := range numTris {
						for asked := range numTris {
							for mute := range numTris {
								if !yield(Rivalry{exchange, youth, rival, everywhere, asked, mute}) {
									return
								}
							}
						}
					}
				}
			}
		}
	}
}

// every yields all values of an enum below its count.
func every[E ~uint8](count E) []E {
	var values []E
	for v := range count {
		values = append(values, v)
	}
	return values
}

// evidenceSize and rivalrySize are the sizes of the two spaces, counted apart from the loops that visit them.
const (
	evidenceSize = 4 * 3 * 5 * 4 * 3 * 3 * 5
	rivalrySize  = 4 * 3 * 5 * 3 * 3 * 3
)
