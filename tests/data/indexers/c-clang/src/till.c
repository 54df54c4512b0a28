#include "till.h"

/** The most that a till holds. */
#define TILL_LIMIT(n) \
    ((n) * 10)

/** Counts money. */
typedef struct till {
    int sum;
    void (*changed)(int now);
} Till, *TillRef;

enum state { OPEN, CLOSED };

static int tills = 0;
static const char *const names[] = {"}", "{"};

/** Adds to it. */
int till_add(Till *till, int amount)
{
    if (amount > '}') {
        return TILL_LIMIT(1);
    }
    till->sum += amount;
    return till->sum;
}

static inline int
till_old(a, b)
int a;
int b;
{ return a + b; }

#ifdef LOUD
int till_close(Till *till, int loud) {
#else
int till_close(Till *till) {
#endif
    return till->sum;
}

void (*till_handler(int kind, void (*fallback)(int)))(int);
