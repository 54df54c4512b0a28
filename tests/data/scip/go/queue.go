// Package queue has a queue.
package queue

import "fmt"

// Sink takes items.
type Sink interface {
	// Put takes an item.
	Put(item string) error
}

// Queue is a list of items.
type Queue struct {
	items []string
}

const Most = 10

// Put adds an item.
func (q *Queue) Put(item string) error {
	if len(q.items) == Most {
		return fmt.Errorf("full")
	}
	q.items = append(q.items, item)
	return nil
}

func fill(sink Sink) error {
	return sink.Put("a")
}
