// Package till counts money.
package till

import "errors"

// Limit is the most that a till holds.
const Limit = 10

var (
	errFull  = errors.New("full }")
	onChange = func(now int) {}
)

// Till counts money.
type Till struct {
	sum int `json:"{"`
}

// Adder adds.
type Adder interface {
	// Add adds to it.
	Add(amount int) (int, error)
}

// Add adds to it.
//
//go:noinline
func (t *Till) Add(amount int) (int, error) {
	if t.sum+amount > Limit {
		return 0, errFull
	}
	done := func() { onChange(t.sum) }
	t.sum += amount
	done()
	return t.sum, nil
}

func New[T ~int](start T) *Till { return &Till{sum: int(start)} }
