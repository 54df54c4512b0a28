#ifndef RING_H
#define RING_SIZE 16

/* A ring of numbers. */
struct ring {
    int at;
    int values[RING_SIZE];
};

/* Puts a number into the ring. */
int ring_put(struct ring *ring, int value);
int ring_get(struct ring *ring);
#endif
