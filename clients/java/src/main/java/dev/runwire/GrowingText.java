package dev.runwire;

import java.util.function.Consumer;

/** A text that comes in pieces, some of them twice; what is new of it is shown. Offsets count code points, not chars. */
final class GrowingText {
    private final StringBuilder shown = new StringBuilder();
    private long length;

    /** Takes a piece that begins there. One beyond a gap waits for the whole text. */
    void put(long offset, String piece, Consumer<String> show) {
        long known = length - offset;
        if (known >= 0 && known < piece.codePointCount(0, piece.length())) {
            add(piece.substring(piece.offsetByCodePoints(0, (int) known)), show);
        }
    }

    /** Takes the whole text. When it is not what was shown and more, nothing is: only the message has the truth. */
    void finish(String whole, Consumer<String> show) {
        if (whole.length() > shown.length() && whole.startsWith(shown.toString())) { add(whole.substring(shown.length()), show); }
    }

    private void add(String fresh, Consumer<String> show) {
        shown.append(fresh);
        length += fresh.codePointCount(0, fresh.length());
        show.accept(fresh);
    }
}
