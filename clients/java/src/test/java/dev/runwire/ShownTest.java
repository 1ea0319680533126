package dev.runwire;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.runwire.MessageStream.Saying;
import dev.runwire.MessageStream.Shown;
import dev.runwire.v1.Message;
import dev.runwire.v1.Role;
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
        shown.add(new Saying("id", Role.ROLE_ASSISTANT, offset, text, null), pieces::add);
    }

    private void whole(String text) {
        shown.add(new Saying("id", Role.ROLE_ASSISTANT, 0, text, Message.newBuilder().setContent(text).build()), pieces::add);
    }
}
