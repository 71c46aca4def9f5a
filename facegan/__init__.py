"""The plumbing the scripts share. What changes the science stands in the scripts themselves."""

from facegan import interrupts

interrupts.leave_while_importing()
