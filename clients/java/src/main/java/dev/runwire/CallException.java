package dev.runwire;

import com.google.protobuf.*;
import com.google.rpc.*;
import io.grpc.Metadata;
import java.util.*;

/** A call was refused, or the server cannot be reached. */
@SuppressWarnings("serial")
public final class CallException extends RunwireException {
    static final Metadata.Key<byte[]> DETAILS =
            Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);
    private final io.grpc.Status.Code code;
    private final Map<String, String> violations = new LinkedHashMap<>();
    private String reason = "";

    CallException(io.grpc.Status status, Metadata trailers) {
        super(status.getCode() + ": " + status.getDescription(), status.getCause());
        code = status.getCode();
        byte[] details = trailers != null && trailers.containsKey(DETAILS) ? trailers.get(DETAILS) : new byte[0];
        try {
            for (Any it : Status.parseFrom(details).getDetailsList()) {
                if (it.is(ErrorInfo.class)) { reason = it.unpack(ErrorInfo.class).getReason(); }
                if (!it.is(BadRequest.class)) { continue; }
                it.unpack(BadRequest.class).getFieldViolationsList()
                        .forEach(wrong -> violations.put(wrong.getField(), wrong.getDescription()));
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
    public Map<String, String> violations() { return Collections.unmodifiableMap(violations); }
}
