"""Print where the interface files lie: python -m crest_fortran crest_component.f90."""

import argparse

from crest_fortran.shipped import interface_file

parser = argparse.ArgumentParser(prog="python -m crest_fortran", description="Print the path of an interface file.")
parser.add_argument("file", choices=["crest_component.f90", "crest_component.h"])
print(interface_file(parser.parse_args().file))
