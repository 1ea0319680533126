import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import dev.runwire.Reading;
import dev.runwire.RunHandle;
import dev.runwire.RunHandle.MessageStream;
import dev.runwire.RunwireClient;
import dev.runwire.RunwireClient.Conversation;
import dev.runwire.RunwireException;
import dev.runwire.v1.AttachRequest;
import dev.runwire.v1.CancelRequest;
import dev.runwire.v1.Channel;
import dev.runwire.v1.Completion;
import dev.runwire.v1.Event;
import dev.runwire.v1.GetSessionRequest;
import dev.runwire.v1.Outcome;
import dev.runwire.v1.RunRequest;
import dev.runwire.v1.SessionServiceGrpc;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** The driver of the Java client: see tests/clients/README.md. */
final class Driver {
    private static final long STEP_SECONDS = 110;
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    private final Map<String, RunwireClient> clients = new HashMap<>();

    public static void main(String[] arguments) throws IOException {
        Driver driver = new Driver();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonObject command = JsonParser.parseString(line).getAsJsonObject();
            // In a thread of its own, so that a step that hangs is a bug that is reported, not silence.
            CompletableFuture<JsonObject> done = CompletableFuture.supplyAsync(() -> driver.answer(command), task -> new Thread(task).start());
            say(with("done", done.completeOnTimeout(bug("no end"), STEP_SECONDS, TimeUnit.SECONDS).join()));
        }
        driver.clients.values().forEach(RunwireClient::close);
    }

    private JsonObject answer(JsonObject command) {
        try {
            return perform(clients.computeIfAbsent(command.get("target").getAsString(), RunwireClient::new), command);
        } catch (Exception error) {
            return failure(error instanceof CompletionException ? error.getCause() : error);
        }
    }

    private JsonObject perform(RunwireClient client, JsonObject command) throws InvalidProtocolBufferException {
        byte[] request = command.has("request") ? Base64.getDecoder().decode(command.get("request").getAsString()) : new byte[0];
        switch (command.get("op").getAsString()) {
            case "run":
                Duration deadline = command.has("deadline_ms") ? Duration.ofMillis(command.get("deadline_ms").getAsLong()) : null;
                return read(client.run(RunRequest.parseFrom(request), deadline), command);
            case "attach":
                return read(client.attach(AttachRequest.parseFrom(request)), command);
            case "chat":
                return chat(client, command);
            case "subscribe":
                return subscribe(client, command);
            case "cancel":
                CancelRequest cancel = CancelRequest.parseFrom(request);
                AttachRequest run = AttachRequest.newBuilder().setAppName(cancel.getAppName()).setRequestId(cancel.getRequestId()).build();
                return with("changed", client.attach(run).cancel(cancel.getReason()));
            case "get_session":
                GetSessionRequest key = GetSessionRequest.parseFrom(request);
                SessionServiceGrpc.SessionServiceBlockingStub sessions = SessionServiceGrpc.newBlockingStub(client.channel());
                return with("event_count", RunwireClient.call(() -> sessions.getSession(key)).getEventsCount());
            default:
                throw new IllegalArgumentException("what is " + command + "?");
        }
    }

    private static JsonObject read(RunHandle run, JsonObject command) {
        String read = command.has("read") ? command.get("read").getAsString() : "text";
        if (read.equals("text")) {
            return with("text", run.text().join());
        }
        int cancelAfter = command.has("cancel_after") ? command.get("cancel_after").getAsInt() : 0;
        if (!command.has("readers")) {
            readAs(read, run, cancelAfter, new JsonObject());
            return new JsonObject();
        }
        List<CompletableFuture<Void>> readers = new ArrayList<>();
        for (int reader = 0; reader < command.get("readers").getAsInt(); reader++) {
            JsonObject tag = with("reader", reader);
            readers.add(CompletableFuture.runAsync(() -> readAs(read, run, cancelAfter, tag), task -> new Thread(task).start()));
        }
        readers.forEach(CompletableFuture::join);
        return new JsonObject();
    }

    private static void readAs(String read, RunHandle run, int cancelAfter, JsonObject tag) {
        switch (read) {
            case "events" -> each(run.events(), event -> with("event", encoded(event)), cancelAfter, tag);
            case "deltas" -> each(run.deltas(), piece -> with("piece", piece), cancelAfter, tag);
            case "messages" -> each(run.messages(), message -> with("message", encoded(message)), cancelAfter, tag);
            case "message_streams" -> each(run.messageStreams(), Driver::stream, cancelAfter, tag);
            case "message_streams_late" -> {
                List<MessageStream> streams = new ArrayList<>();
                run.messageStreams().forEach(streams::add);
                streams.forEach(stream -> {
                    stream(stream);
                    say(merged(stream(stream), tag));
                });
            }
            default -> throw new IllegalArgumentException("what is " + read + "?");
        }
    }

    private static <T> void each(Reading<T> reading, Function<T, JsonObject> line, int cancelAfter, JsonObject tag) {
        int left = cancelAfter;
        try (reading) {
            for (T item : reading) {
                say(merged(line.apply(item), tag));
                if (--left == 0) {
                    reading.close(); // whoever waits for more gets a CancellationException
                }
            }
        }
    }

    private static JsonObject stream(MessageStream stream) {
        JsonArray pieces = new JsonArray();
        stream.pieces().forEach(pieces::add);
        JsonObject line = with("message_id", stream.messageId());
        line.add("pieces", pieces);
        line.addProperty("message", encoded(stream.message().join()));
        return with("stream", line);
    }

    private static JsonObject chat(RunwireClient client, JsonObject command) {
        String sessionId = command.has("session_id") ? command.get("session_id").getAsString() : "";
        Conversation talk = client.conversation(RunRequest.newBuilder().setUserId(command.get("user_id").getAsString())
                .setSessionId(sessionId).build());
        JsonArray texts = new JsonArray();
        command.getAsJsonArray("messages").forEach(message -> texts.add(talk.chat(message.getAsString()).join()));
        JsonObject done = with("session_id", talk.sessionId());
        done.add("texts", texts);
        return done;
    }

    private static JsonObject subscribe(RunwireClient client, JsonObject command) {
        Conversation talk = client.conversation(RunRequest.newBuilder().setUserId(command.get("user_id").getAsString()).build());
        List<Channel> channels = new ArrayList<>();
        if (command.has("channels")) {
            command.getAsJsonArray("channels")
                    .forEach(name -> channels.add(Channel.valueOf("CHANNEL_" + name.getAsString().toUpperCase(Locale.ROOT))));
        }
        int left = command.getAsJsonArray("messages").size();
        try (Reading<Event> events = talk.subscribe(channels.toArray(Channel[]::new))) {
            command.getAsJsonArray("messages").forEach(message -> talk.send(message.getAsString()).join());
            for (Event event : events) {
                say(with("event", encoded(event)));
                left -= event.hasCompletion() ? 1 : 0;
                if (left == 0) {
                    break;
                }
            }
        }
        return new JsonObject();
    }

    private static JsonObject failure(Throwable error) {
        JsonObject why;
        if (error instanceof RunwireException.CallFailed refused) {
            why = with("kind", "call");
            why.addProperty("code", refused.code().name());
            why.addProperty("reason", refused.reason());
            JsonArray fields = new JsonArray();
            refused.violations().forEach(wrong -> fields.add(wrong.getField()));
            why.add("fields", fields);
        } else if (error instanceof RunwireException.RunEnded ended) {
            Completion completion = ended.completion();
            boolean isKnown = completion.getOutcome() != Outcome.UNRECOGNIZED;
            why = with("kind", "ended");
            why.addProperty("outcome", isKnown ? completion.getOutcome().name().substring("OUTCOME_".length())
                    : String.valueOf(completion.getOutcomeValue()));
            why.addProperty("stop_reason", completion.getStopReason());
        } else if (error instanceof CancellationException) {
            why = with("kind", "cancelled");
        } else {
            error.printStackTrace();
            return bug(error.toString());
        }
        return with("error", why);
    }

    private static JsonObject bug(String message) {
        JsonObject why = with("kind", "bug");
        why.addProperty("message", message);
        return with("error", why);
    }

    private static void say(JsonObject line) {
        OUT.println(line);
    }

    private static String encoded(MessageLite message) {
        return Base64.getEncoder().encodeToString(message.toByteArray());
    }

    private static JsonObject merged(JsonObject line, JsonObject tag) {
        tag.entrySet().forEach(entry -> line.add(entry.getKey(), entry.getValue()));
        return line;
    }

    private static JsonObject with(String name, Object value) {
        JsonObject made = new JsonObject();
        if (value instanceof JsonObject object) {
            made.add(name, object);
        } else if (value instanceof Number number) {
            made.addProperty(name, number);
        } else if (value instanceof Boolean is) {
            made.addProperty(name, is);
        } else {
            made.addProperty(name, (String) value);
        }
        return made;
    }
}
