#include "ring.h"

static int next(int at) {
    return (at + 1) % RING_SIZE;
}

/* Puts "é", say, into the ring. */ int ring_put(struct ring *ring, int value) {
    ring->values[ring->at] = value;
    ring->at = next(ring->at);
    return 0;
}
