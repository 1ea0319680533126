package dev.runwire;

import dev.runwire.v1.Completion;

/** The run ended other than COMPLETED. */
@SuppressWarnings("serial")
public final class RunEndedException extends RunwireException {
    private final Completion completion;

    RunEndedException(Completion end) {
        super(end.getStopReason() + ": " + end.getError().getMessage() + end.getCancelReason(), null);
        completion = end;
    }

    /** How it ended. An outcome of a newer server is UNRECOGNIZED; getOutcomeValue() has its number. */
    public Completion completion() { return completion; }
}
