"""``python -m fsm_gpt`` is ``fsm-gpt``."""

from fsm_gpt.cli import main

if __name__ == "__main__":
    main(prog_name="fsm-gpt")
