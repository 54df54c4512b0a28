package shop;

import java.util.List;

/** What can be paid for. */
interface Priced {
    /** Returns the price in cents. */
    long price();
}

/**
 * A basket of things.
 */
public class Basket implements Priced {
    static final int LIMIT = 100;
    private final List<Priced> things;

    public Basket(List<Priced> things) {
        this.things = things;
    }

    /** Adds the prices up. */
    @Override
    public long price() {
        long total = 0;
        for (Priced thing : things) {
            total += thing.price();
        }
        return total;
    }

    /** Adds one thing; the second of this name. */
    boolean add(Priced thing) {
        return things.size() < LIMIT;
    }

    boolean add(String name) {
        return false;
    }

    enum Size { SMALL, LARGE }
}
