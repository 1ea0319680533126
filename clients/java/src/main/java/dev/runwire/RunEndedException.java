package dev.runwire;

import dev.runwire.v1.Completion;

/** The run ended other than COMPLETED. */
public final class RunEndedException extends RunwireException {
    private static final long serialVersionUID = 1;
    private final Completion completion;

    RunEndedException(Completion how) {
        super(how.getOutcome() + ", " + how.getStopReason() + ": " + how.getError().getMessage() + how.getCancelReason(), null);
        completion = how;
    }

    /** How it ended. An outcome that only a newer server knows is UNRECOGNIZED; getOutcomeValue() has its number. */
    public Completion completion() { return completion; }
}
