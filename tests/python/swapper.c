/* Swaps a directory of a tree with a symlink to a decoy, over and over: renameat2(EXCHANGE) makes
 * each swap one step. Arguments: the directory, the symlink, how many swaps at most. Ends when
 * stdin does. Prints how many swaps it made. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    const long most = atol(argv[3]);
    struct pollfd input = {.fd = 0, .events = POLLIN};
    long swaps = 0;
    while (swaps < most && poll(&input, 1, 0) == 0) {
        if (renameat2(AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE) != 0) {
            perror("renameat2");
            return 1;
        }
        ++swaps;
    }
    printf("%ld\n", swaps);
    return 0;
}
