package dev.runwire;

/** What this client throws: {@link CallException} and {@link RunEndedException}. */
@SuppressWarnings("serial")
public abstract class RunwireException extends RuntimeException {
    RunwireException(String message, Throwable cause) { super(message, cause); }
}
