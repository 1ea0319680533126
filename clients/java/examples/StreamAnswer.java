import dev.runwire.RunwireClient;
import dev.runwire.v1.RunRequest;

/** Streams an answer, as it is written. usage: examples/run [TEXT [HOST:PORT]] */
final class StreamAnswer {
    public static void main(String[] arguments) {
        String text = arguments.length > 0 ? arguments[0] : "tell me about yourself";
        String target = arguments.length > 1 ? arguments[1] : "127.0.0.1:50051";
        RunRequest request = RunwireClient.saying(text).toBuilder().setUserId("example").build();
        try (var client = new RunwireClient(target); var pieces = client.run(request).deltas()) {
            for (String piece : pieces) {
                System.out.print(piece);
                System.out.flush();
            }
            System.out.println();
        }
    }
}
