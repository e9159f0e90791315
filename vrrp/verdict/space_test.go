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
									for storage := range numStorages {
										if !yield(Evidence{voice, self, vip, serving, silence, crowd, heartbeat, storage}) {
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

// everyFitness yields the whole space of what speaks for and against resigning.
func everyFitness() iter.Seq[Fitness] {
	return func(yield func(Fitness) bool) {
		for storage := range numStorages {
			for keep := range numTris {
				for spent := range numTris {
					for peer := range numTris {
						if !yield(Fitness{storage, keep, spent, peer}) {
							return
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

// evidenceSize, rivalrySize and fitnessSize are the sizes of the spaces, counted apart from the loops that visit them.
const (
	evidenceSize = 5 * 3 * 5 * 4 * 3 * 3 * 6 * 3
	rivalrySize  = 4 * 3 * 5 * 3 * 3 * 3
	fitnessSize  = 3 * 3 * 3 * 3
)
