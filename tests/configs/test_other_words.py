"""What other trainers call our keys and flags: every suggestion can be followed."""

from itertools import chain

from commands.parser import FLAGS_OF_KEY
from commands.verbs import build_parser
from configs.options import all_options
from configs.other_words import FLAG_OF, KEY_OF, REMARKS


def test_every_word_leads_to_a_key_or_a_flag_that_exists_and_is_none_itself() -> None:
    keys = {option.key for option in all_options().values()}
    parser = build_parser()
    assert set(KEY_OF.values()) | set(FLAGS_OF_KEY) <= keys
    flags = (*FLAG_OF.values(), *chain(*FLAGS_OF_KEY.values()))
    assert all(parser.knows(flag) for flag in flags)
    assert not set(KEY_OF) & {key.casefold() for key in keys}
    assert not set(KEY_OF) & set(FLAG_OF)
    assert set(REMARKS) <= set(KEY_OF)
