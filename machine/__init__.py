"""The machine under the program: files, disk, locks, other programs. Knows nothing of the domain.

files           files that exist whole or not at all
disk            is a folder writable, how much room is there
locks           locks on files, between processes
programs        runs a program to its end and returns what it prints
supervisor      kills all that a program started, whatever happens to this process
git             what git says about a folder
git_diff        which lines differ between a commit and a folder's files
proxies         which proxy of the environment is for which address
secrets         the one redactor
processors      how many threads compute, how they wait, how nice they are
collector       Python's collector of unused cycles
text            text made safe for a terminal
"""
