"""What the scripts share: layers, files, devices, evaluation, the editor. Each experiment stands in its script."""

from facegan import interrupts

interrupts.leave_while_importing()
