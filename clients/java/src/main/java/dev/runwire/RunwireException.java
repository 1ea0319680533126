package dev.runwire;

import com.google.protobuf.*;
import com.google.rpc.*;
import dev.runwire.v1.Completion;
import io.grpc.Metadata;
import java.util.List;

/** What this client throws: one of those in here, or just this when what was waited for never came. */
@SuppressWarnings("serial")
public class RunwireException extends RuntimeException {
    static final Metadata.Key<byte[]> DETAILS =
            Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

    RunwireException(String message, Throwable cause) { super(message, cause); }

    /** A call was refused, or the server cannot be reached. */
    public static final class CallFailed extends RunwireException {
        private final io.grpc.Status.Code code;
        private String reason = "";
        private List<BadRequest.FieldViolation> violations = List.of();

        CallFailed(io.grpc.Status status, Metadata trailers) {
            super(status.getCode() + ": " + status.getDescription(), status.getCause());
            code = status.getCode();
            byte[] details = trailers != null && trailers.containsKey(DETAILS) ? trailers.get(DETAILS) : new byte[0];
            try {
                for (Any it : Status.parseFrom(details).getDetailsList()) {
                    if (it.is(ErrorInfo.class)) { reason = it.unpack(ErrorInfo.class).getReason(); }
                    if (it.is(BadRequest.class)) { violations = it.unpack(BadRequest.class).getFieldViolationsList(); }
                }
            } catch (InvalidProtocolBufferException unreadable) {
                addSuppressed(unreadable);
            }
        }

        /** The gRPC code. */
        public io.grpc.Status.Code code() { return code; }
        /** The server's stable reason, in UPPER_SNAKE_CASE; empty when it gave none. */
        public String reason() { return reason; }
        /** The fields that are wrong, in the server's order, each with what is wrong with it. */
        public List<BadRequest.FieldViolation> violations() { return violations; }
    }

    /** The run ended other than COMPLETED. */
    public static final class RunEnded extends RunwireException {
        private final Completion completion;

        RunEnded(Completion end) {
            super(end.getStopReason() + ": " + end.getError().getMessage() + end.getCancelReason(), null);
            completion = end;
        }

        /** How it ended. An outcome of a newer server is UNRECOGNIZED; getOutcomeValue() has its number. */
        public Completion completion() { return completion; }
    }
}
