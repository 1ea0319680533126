package dev.runwire;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.*;
import dev.runwire.v1.Completion;
import io.grpc.Metadata;
import io.grpc.Status.Code;
import java.util.*;

/** What this client throws. */
@SuppressWarnings("serial")
public abstract sealed class RunwireException extends RuntimeException {
    private RunwireException(String message, Throwable cause) { super(message, cause); }

    /** A call was refused, or the server cannot be reached. */
    public static final class CallException extends RunwireException {
        static final Metadata.Key<byte[]> DETAILS =
                Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);
        private final Code code;
        private final Map<String, String> violations = new LinkedHashMap<>();
        private String reason = "";

        CallException(io.grpc.Status status, Metadata trailers) {
            super(status.getCode() + ": " + status.getDescription(), status.getCause());
            code = status.getCode();
            byte[] details = trailers != null && trailers.containsKey(DETAILS) ? trailers.get(DETAILS) : new byte[0];
            try {
                for (Any detail : Status.parseFrom(details).getDetailsList()) {
                    if (detail.is(ErrorInfo.class)) { reason = detail.unpack(ErrorInfo.class).getReason(); }
                    if (!detail.is(BadRequest.class)) { continue; }
                    detail.unpack(BadRequest.class).getFieldViolationsList()
                            .forEach(field -> violations.put(field.getField(), field.getDescription()));
                }
            } catch (InvalidProtocolBufferException unreadable) {
                addSuppressed(unreadable);
            }
        }

        /** The gRPC code. */
        public Code code() { return code; }

        /** The server's stable reason, in UPPER_SNAKE_CASE; empty when it gave none. */
        public String reason() { return reason; }

        /** The fields that are wrong, in the server's order, each with what is wrong with it. */
        public Map<String, String> violations() { return Collections.unmodifiableMap(violations); }
    }

    /** The run ended other than COMPLETED. */
    public static final class RunEndedException extends RunwireException {
        private final Completion completion;

        RunEndedException(Completion end) {
            super(end.getStopReason() + ": " + end.getError().getMessage() + end.getCancelReason(), null);
            completion = end;
        }

        /** How it ended. An outcome of a newer server is UNRECOGNIZED; getOutcomeValue() has its number. */
        public Completion completion() { return completion; }
    }
}
