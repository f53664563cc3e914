#include "file_writer.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

namespace filetree::report {
namespace {

bool is_regular(int fd) noexcept {
    struct stat status{};
    return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

FileWriter::FileWriter(int fd, std::string name, Compression compression,
                       std::function<bool()> wanted)
    : fd_(fd),
      name_(std::move(name)),
      wanted_(std::move(wanted)),
      may_wait_(wanted_ && !is_regular(fd)),
      compressor_(make_compressor(compression)) {}

void FileWriter::put(std::string_view bytes) {
    if (!compressor_) {
        write(bytes);
        return;
    }
    compressor_->compress(bytes, compressed_);
    constexpr std::size_t worth_writing = std::size_t{256} << 10U;
    if (compressed_.size() >= worth_writing) write_compressed();
}

void FileWriter::finish() {
    if (!compressor_) return;
    compressor_->finish(compressed_);
    write_compressed();
}

void FileWriter::replace(std::size_t offset, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t done = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (done < 0) {
            if (errno == EINTR) continue;
            throw SystemError(errno, name_);
        }
        bytes.remove_prefix(static_cast<std::size_t>(done));
        offset += static_cast<std::size_t>(done);
    }
}

void FileWriter::write(std::string_view bytes) {
    const std::size_t all = bytes.size();
    while (!bytes.empty()) {
        std::size_t length = bytes.size();
        if (may_wait_) {
            await_room();
            length = std::min<std::size_t>(length, PIPE_BUF);  // so much is taken at once
        }
        const ssize_t done = ::write(fd_, bytes.data(), length);
        if (done < 0) {
            if (errno == EINTR) continue;
            throw SystemError(errno, name_);
        }
        bytes.remove_prefix(static_cast<std::size_t>(done));
    }
    written_.fetch_add(all, std::memory_order_relaxed);
}

void FileWriter::await_room() {
    constexpr int milliseconds = 50;
    for (;;) {
        pollfd room{fd_, POLLOUT, 0};
        const int ready = ::poll(&room, 1, milliseconds);
        if (ready > 0) return;  // or an error, which the write will meet
        if (ready < 0 && errno != EINTR) throw SystemError(errno, name_);
        if (!wanted_()) throw SystemError(ECANCELED, name_);
    }
}

void FileWriter::write_compressed() {
    write(compressed_.view());
    compressed_.clear();
}

}  // namespace filetree::report
