package dev.runwire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(10)
class ReadingTest {
    private final Reading<String> reading = new Reading<>();

    @Test
    void theErrorComesAfterWhatWasPut() {
        reading.put("a");
        reading.end(new IllegalStateException("why"));
        reading.put("lost");

        assertEquals("a", reading.next());
        assertThrows(IllegalStateException.class, reading::hasNext);
        assertThrows(IllegalStateException.class, reading::hasNext);
    }

    @Test
    void closingWakesWhoWaits() {
        CompletableFuture.delayedExecutor(50, TimeUnit.MILLISECONDS).execute(reading::close);

        assertThrows(CancellationException.class, reading::hasNext);
    }

    @Test
    void anInterruptWakesWhoWaits() {
        Thread.currentThread().interrupt();

        assertThrows(CancellationException.class, reading::hasNext);
        assertTrue(Thread.interrupted());
        assertTrue(reading.isOver);
    }

    @Test
    void cancellingTheFutureClosesTheReading() {
        reading.first().cancel(true);

        assertTrue(reading.isOver);
    }

    @Test
    void whatNeverComesIsAnErrorOfTheClient() {
        CompletableFuture<String> first = reading.first();
        reading.end(null);

        CompletionException error = assertThrows(CompletionException.class, first::join);
        assertInstanceOf(RunwireException.class, error.getCause());
    }
}
