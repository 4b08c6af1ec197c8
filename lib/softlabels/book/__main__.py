"""``python -m softlabels.book execute|build|publish|generate``."""

import sys

from softlabels.book.execute import main

sys.exit(main())
