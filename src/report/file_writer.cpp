#include "file_writer.hpp"

#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

#include "../fs/whole_io.hpp"

namespace filetree::report {
namespace {

bool is_regular(int fd) noexcept {
    struct stat status {};
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
    if (const int error = write_all_at(fd_, offset, bytes)) throw SystemError(error, name_);
}

void FileWriter::write(std::string_view bytes) {
    // Of what may wait, as much at a time as is taken at once.
    const std::size_t step = may_wait_ ? PIPE_BUF : bytes.size();
    while (!bytes.empty()) {
        if (may_wait_) await_room();
        const std::string_view piece = bytes.substr(0, step);
        if (const int error = write_all(fd_, piece)) throw SystemError(error, name_);
        written_.fetch_add(piece.size(), std::memory_order_relaxed);
        bytes.remove_prefix(piece.size());
    }
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
