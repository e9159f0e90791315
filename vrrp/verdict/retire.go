package verdict

import "fmt"

// Fitness is what a MASTER knows that speaks for and against going on while its own storage fails, as facts out of a small and
// finite space.
type Fitness struct {
	Storage Storage
	Keep    Tri // it is to go on whatever its storage does: storage_yield off, or it owns the addresses
	Spent   Tri // it has resigned for this failure already
	Peer    Tri // a peer lives that is able to take over
}

// String lists the facts as key=value, for logs and recordings.
func (f Fitness) String() string {
	return fmt.Sprintf("storage=%v keep=%v spent=%v peer=%v", f.Storage, f.Keep, f.Spent, f.Peer)
}

// storage is the table of a MASTER whose storage may have failed. The last row decides whatever is left.
var storage = [...]rule[Fitness]{
	{StorageFit, None, Stay, func(f Fitness) bool { return f.Storage != StorageFailed }},
	{StorageKept, LocalFault, Stay, func(f Fitness) bool { return f.Keep == TriYes }},
	{StorageSpent, LocalFault, Stay, func(f Fitness) bool { return f.Spent != TriNo }},
	{StorageAlone, LocalFault, Stay, func(f Fitness) bool { return f.Peer != TriYes }},
	{StorageResign, LocalFault, Resign, nil},
}

// Retire decides whether a MASTER resigns because of its storage: the first row that holds. A router that forwards from memory is
// better than none, so it goes only to a peer that lives, and only once.
func Retire(f Fitness) Verdict {
	row := first(storage[:], f)
	return Verdict{Finding: row.finding, Rule: row.id, Act: row.act, Fitness: f}
}
