#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: an SMB1 server that looks like Windows Server 2008 SP2, build 6003
"""smb2008.py [--smb2] SHARE=DIR [PORT...]: serve DIR as SHARE on 445 and 139.

--smb2: a plain SMB2 file server instead, for the lab without root: there smbd can't run
(it needs setgroups, which a user namespace of one user forbids)."""
import logging
import socket
import sys
import threading

from impacket import ntlm, smbserver

NATIVE_OS = 'Windows Server (R) 2008 Standard 6003 Service Pack 2'
# Major 6, minor 0, build 6003 little-endian, reserved, NTLM revision 15.
NTLM_VERSION = bytes.fromhex('060073170000000f')


class Challenge2008(ntlm.NTLMAuthChallenge):
    """impacket fills the Version field with ff: put there what a 2008 host sends."""

    def __setitem__(self, key, value):
        if key == 'Version' and value:
            value = NTLM_VERSION
        super().__setitem__(key, value)


class Server6(smbserver.SMBSERVER):
    address_family = socket.AF_INET6  # bound to ::, it answers IPv4 too
    allow_reuse_address = True
    daemon_threads = True


def serve(port, share, smb2):
    server = smbserver.SimpleSMBServer('::', port)
    # The class has no setters for what the host says of itself.
    config = server._SimpleSMBServer__smbConfig
    config.set('global', 'server_os', 'Lab' if smb2 else NATIVE_OS)
    config.set('global', 'server_name', 'FILES01' if smb2 else 'ERP-DB01')
    config.set('global', 'server_domain', 'PLANT')
    name, path = share.split('=', 1)
    server.addShare(name, path, 'plant data')
    server.setSMB2Support(smb2)
    server.start()


def main():
    logging.basicConfig(level=logging.ERROR)
    args = sys.argv[1:]
    smb2 = '--smb2' in args
    share, *ports = [a for a in args if a != '--smb2']
    smbserver.SMBSERVER = Server6
    if not smb2:
        ntlm.NTLMAuthChallenge = Challenge2008
    ports = [int(p) for p in ports] or [445, 139]
    for port in ports[1:]:
        threading.Thread(target=serve, args=(port, share, smb2), daemon=True).start()
    serve(ports[0], share, smb2)


if __name__ == '__main__':
    main()
