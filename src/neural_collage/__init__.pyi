# The public names, and where they are. `__init__.py` imports each when it is first used.

from .art.fractalize import Tiling as Tiling
from .art.fractalize import fractalize as fractalize
from .art.morph import morph as morph
from .art.movie import movie as movie
from .art.restore import denoise as denoise
from .art.restore import enlarge as enlarge
from .art.restore import inpaint as inpaint
from .art.stylize import Style as Style
from .art.stylize import stylize as stylize
from .art.zoom import zoom as zoom
from .codec.api import compress as compress
from .codec.api import decompress as decompress
from .codec.api import encode as encode
from .codec.api import load as load
from .codec.api import save as save
from .codec.image import CollageImage as CollageImage
from .core.collage import Collage as Collage
from .core.partition import Partition as Partition
from .errors import CheckpointError as CheckpointError
from .errors import CollageError as CollageError
from .errors import CollageFormatError as CollageFormatError
from .errors import ConfigError as ConfigError
from .errors import DataError as DataError
from .errors import ImageError as ImageError
from .errors import MissingExtraError as MissingExtraError
from .errors import NotContractiveError as NotContractiveError
from .errors import NotConvergedError as NotConvergedError
from .errors import OutputError as OutputError
from .errors import ScaleError as ScaleError
from .errors import TargetError as TargetError
from .errors import TrainingError as TrainingError
from .models.autoencoding.neural_collage import NeuralCollage as NeuralCollage
from .models.operator.config import OperatorConfig as OperatorConfig
from .models.operator.operator import CollageOperator as CollageOperator

__version__: str
__all__: list[str]
