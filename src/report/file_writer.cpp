#include "file_writer.hpp"

#include <unistd.h>

#include <cerrno>

namespace filetree::report {

FileWriter::FileWriter(int fd, std::string name, Compression compression)
    : fd_(fd), name_(std::move(name)), compressor_(make_compressor(compression)) {}

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
        const ssize_t done = ::write(fd_, bytes.data(), bytes.size());
        if (done < 0) {
            if (errno == EINTR) continue;
            throw SystemError(errno, name_);
        }
        bytes.remove_prefix(static_cast<std::size_t>(done));
    }
    written_.fetch_add(all, std::memory_order_relaxed);
}

void FileWriter::write_compressed() {
    write(compressed_.view());
    compressed_.clear();
}

}  // namespace filetree::report
