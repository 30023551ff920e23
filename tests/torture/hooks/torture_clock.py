"""A wall clock that is off by what a shared file says. The monotonic clock and the database's clock stay right."""

import copyreg
import datetime
import mmap
import os
import struct
import time

SIZE = 8


def install(path: str) -> None:
    """From now on time.time, time_ns, localtime, gmtime, strftime, datetime.now and date.today include the offset."""
    offset = _shared(path)
    _replace_time(offset)
    _replace_datetime(offset)


def _shared(path: str):
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.fstat(descriptor).st_size < SIZE:
            os.ftruncate(descriptor, SIZE)
        memory = mmap.mmap(descriptor, SIZE, prot=mmap.PROT_READ)
    finally:
        os.close(descriptor)
    unpack = struct.Struct("d").unpack_from

    def offset() -> float:
        return unpack(memory)[0]

    return offset


class _Plain:
    """A function that does not become a method: `logging` keeps time.localtime as an attribute of a class."""

    def __init__(self, function) -> None:
        self._function = function

    def __call__(self, *given):
        return self._function(*given)


def _replace_time(offset) -> None:
    real = {name: getattr(time, name) for name in ("time", "time_ns", "localtime", "gmtime", "strftime", "ctime")}

    def of_now(name):
        return _Plain(lambda secs=None: real[name](real["time"]() + offset() if secs is None else secs))

    time.time = _Plain(lambda: real["time"]() + offset())
    time.time_ns = _Plain(lambda: real["time_ns"]() + int(offset() * 1e9))
    time.localtime, time.gmtime, time.ctime = of_now("localtime"), of_now("gmtime"), of_now("ctime")
    time.strftime = _Plain(lambda form, when=None: real["strftime"](form, time.localtime() if when is None else when))


def _replace_datetime(offset) -> None:
    real_datetime, real_date = datetime.datetime, datetime.date

    def facade(real):
        # Every instance is a real one; the class in the module only stands in front, for isinstance and for now().
        class Meta(type):
            def __instancecheck__(cls, instance):
                return (
                    isinstance(instance, real) if cls.__dict__.get("_facade") else super().__instancecheck__(instance)
                )

            def __subclasscheck__(cls, other):
                return issubclass(other, real) if cls.__dict__.get("_facade") else super().__subclasscheck__(other)

        return Meta

    class Datetime(real_datetime, metaclass=facade(real_datetime)):
        __slots__ = ()
        _facade = True

        def __new__(cls, *given, **named):
            return (real_datetime if cls is Datetime else super()).__new__(
                real_datetime if cls is Datetime else cls, *given, **named
            )

        @classmethod
        def now(cls, tz=None):
            return _as(cls, real_datetime.now(tz) + datetime.timedelta(seconds=offset()))

        @classmethod
        def utcnow(cls):
            return cls.now(datetime.UTC).replace(tzinfo=None)

        @classmethod
        def today(cls):
            return cls.now()

        @classmethod
        def fromtimestamp(cls, *given, **named):
            return _as(cls, real_datetime.fromtimestamp(*given, **named))

        @classmethod
        def combine(cls, *given, **named):
            return _as(cls, real_datetime.combine(*given, **named))

        @classmethod
        def fromisoformat(cls, text):
            return _as(cls, real_datetime.fromisoformat(text))

        @classmethod
        def strptime(cls, text, form):
            return _as(cls, real_datetime.strptime(text, form))

    class Date(real_date, metaclass=facade(real_date)):
        __slots__ = ()
        _facade = True

        def __new__(cls, *given, **named):
            return real_date.__new__(real_date if cls is Date else cls, *given, **named)

        @classmethod
        def today(cls):
            return datetime.datetime.now().date()

    def _as(cls, moment):
        if cls is Datetime:
            return moment
        parts = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second, moment.microsecond)
        return cls(*parts, moment.tzinfo, fold=moment.fold)

    for shown, real in ((Datetime, real_datetime), (Date, real_date)):
        shown.__name__, shown.__qualname__, shown.__module__ = real.__name__, real.__qualname__, "datetime"
    # A pickle names the class by its place in the module, where the facade stands now.
    copyreg.pickle(real_datetime, lambda moment: (datetime.datetime, moment.__reduce_ex__(2)[1]))
    copyreg.pickle(real_date, lambda day: (datetime.date, day.__reduce_ex__(2)[1]))
    Datetime.min, Datetime.max, Datetime.resolution = real_datetime.min, real_datetime.max, real_datetime.resolution
    datetime.datetime, datetime.date = Datetime, Date
