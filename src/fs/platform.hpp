#pragma once

// What differs between systems and is no call of the seam: how files get to the disk, and what a
// process is told about itself. CMake takes one implementation: linux/, or portable/, which keeps
// to what POSIX and macOS share. Calls that return int set errno and return -1 when they fail.

#include <sys/types.h>

#include <cstddef>

#include "unique_fd.hpp"

namespace filetree::platform {

// Whether an entry can be held and changed without being opened (Directory::pin), as repairs need.
extern const bool can_pin;

// Until what was written survives a power cut. sync_data() leaves out what is not needed to read
// the data again, such as times.
[[nodiscard]] int sync(int fd) noexcept;
[[nodiscard]] int sync_data(int fd) noexcept;

// A file without a name, of which nothing is left once it is closed. `flags` are O_WRONLY or
// O_RDWR, and O_EXCL if it is never to be named. EOPNOTSUPP where there are none.
[[nodiscard]] int open_nameless(const char* directory, int flags, mode_t mode) noexcept;
// Gives such a file its name; EEXIST where that is taken.
[[nodiscard]] int give_name(int fd, const char* path);

// Copies up to `length` bytes within the kernel, to the place where `to` is. 0: the end, or it
// cannot be done so.
[[nodiscard]] ssize_t copy_range(int from, off_t offset, int to, std::size_t length) noexcept;

// A socket that no other program inherits.
[[nodiscard]] int open_socket(int family, int type, int protocol) noexcept;
// send(2), without a signal where nobody listens any more. Unless `wait`, EAGAIN in its place.
[[nodiscard]] ssize_t send_to(int socket, const void* bytes, std::size_t length,
                              bool wait) noexcept;

// The cores that this process may use; 0 where that is not told.
[[nodiscard]] unsigned allowed_cores() noexcept;

// Whether it is the thread that main() was called on.
[[nodiscard]] bool on_main_thread() noexcept;

// Lets a loop that waits for descriptors be woken from other threads.
//
// Threads: any.
class Wakeup {
   public:
    // fd() is -1, and errno says why, when there are no descriptors.
    Wakeup() noexcept;
    // Readable from ring() on until clear().
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    void ring() const noexcept;
    void clear() const noexcept;

   private:
    UniqueFd fd_;
    UniqueFd writer_;  // of a pipe, where there is nothing simpler
};

}  // namespace filetree::platform
