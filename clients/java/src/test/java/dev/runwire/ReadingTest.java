package dev.runwire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
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
    void aSubscriberGetsWhatItAskedForAndNoMore() {
        List<Object> seen = new ArrayList<>();
        List.of("a", "b", "c").forEach(reading::put);
        reading.end(null);
        reading.subscribe(new Flow.Subscriber<>() {
            private Flow.Subscription subscription;

            @Override public void onSubscribe(Flow.Subscription begun) {
                subscription = begun;
                subscription.request(2);
            }

            @Override public void onNext(String item) {
                seen.add(item);
                if (item.equals("b")) { seen.add("more"); subscription.request(5); }
            }

            @Override public void onError(Throwable error) { seen.add(error); }

            @Override public void onComplete() { seen.add("end"); }
        });

        assertEquals(List.of("a", "b", "more", "c", "end"), seen);
    }
}
