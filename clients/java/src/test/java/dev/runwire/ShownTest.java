package dev.runwire;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.runwire.RunHandle.Saying;
import dev.runwire.RunHandle.Shown;
import dev.runwire.v1.Message;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ShownTest {
    private final Shown shown = new Shown();
    private final List<String> pieces = new ArrayList<>();

    @Test
    void offsetsCountCodePoints() {
        piece(0, "a🦊");
        piece(2, "b");
        whole("a🦊b🦊");

        assertEquals(List.of("a🦊", "b", "🦊"), pieces);
    }

    @Test
    void whatIsKnownIsLeftOut() {
        piece(0, "one 🦊 ");
        piece(0, "one 🦊 two");
        piece(0, "one");
        piece(9, "");

        assertEquals(List.of("one 🦊 ", "two"), pieces);
    }

    @Test
    void aPieceBeyondAGapWaitsForTheWhole() {
        piece(0, "a");
        piece(2, "c");
        whole("abc");

        assertEquals(List.of("a", "bc"), pieces);
    }

    @Test
    void aWholeThatIsAnotherTextIsNotShown() {
        piece(0, "what the tool wrote");
        whole("{\"what\": \"it returned, which is longer\"}");

        assertEquals(List.of("what the tool wrote"), pieces);
    }

    private void piece(long offset, String text) {
        shown.add(new Saying("id", offset, text, null)).forEach(pieces::add);
    }

    private void whole(String text) {
        shown.add(new Saying("id", 0, text, Message.newBuilder().setContent(text).build())).forEach(pieces::add);
    }
}
