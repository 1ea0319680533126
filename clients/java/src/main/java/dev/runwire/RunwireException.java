package dev.runwire;

/** What this client throws: {@link CallException}, {@link RunEndedException}, or itself: what was asked for never came. */
public class RunwireException extends RuntimeException {
    private static final long serialVersionUID = 1;

    RunwireException(String message, Throwable cause) { super(message, cause); }
}
