package dev.runwire;

/** What this client throws: a {@link CallException}, a {@link RunEndedException}, or this: what was asked for never came. */
public class RunwireException extends RuntimeException {
    private static final long serialVersionUID = 1;

    RunwireException(String message, Throwable cause) { super(message, cause); }
}
