package dev.runwire;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.*;
import io.grpc.Metadata;
import io.grpc.Status.Code;
import java.util.*;

/** A call was refused, or the server cannot be reached. */
public final class CallException extends RunwireException {
    static final Metadata.Key<byte[]> DETAILS = Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);
    private static final long serialVersionUID = 1;
    private final Code code;
    private final LinkedHashMap<String, String> violations = new LinkedHashMap<>();
    private String reason = "";

    CallException(io.grpc.Status status, Metadata trailers) {
        super(status.getCode() + ": " + status.getDescription(), status.getCause());
        code = status.getCode();
        byte[] details = trailers != null && trailers.containsKey(DETAILS) ? trailers.get(DETAILS) : new byte[0];
        try {
            for (Any detail : Status.parseFrom(details).getDetailsList()) {
                if (detail.is(ErrorInfo.class)) { reason = detail.unpack(ErrorInfo.class).getReason(); }
                BadRequest wrong = detail.is(BadRequest.class) ? detail.unpack(BadRequest.class) : BadRequest.getDefaultInstance();
                wrong.getFieldViolationsList().forEach(field -> violations.put(field.getField(), field.getDescription()));
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
