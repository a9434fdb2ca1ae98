# SPDX-License-Identifier: GPL-2.0-or-later
# a file and a folder that lead to themselves
ln -s b.yaml hosts/b.yaml
ln -s tests tests
ln -s ../hosts/.. hosts/up.yaml
