#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "compressor.hpp"

namespace filetree::report {

// Bytes into a descriptor that is somebody else's, compressed or not. Used by one thread at a time,
// but for written(). Throws SystemError with the file's name.
//
// `wanted` is asked now and then while a pipe, a socket or a terminal takes nothing; where it says
// no, the error is ECANCELED. Without it, such a wait has no end but the reader's.
class FileWriter {
   public:
    FileWriter(int fd, std::string name, Compression compression,
               std::function<bool()> wanted = {});

    void put(std::string_view bytes);
    // Writes what the compressor holds back.
    void finish();
    // Writes in place of what is at `offset`; for uncompressed files.
    void replace(std::size_t offset, std::string_view bytes);

    [[nodiscard]] std::uint64_t written() const noexcept {
        return written_.load(std::memory_order_relaxed);
    }

   private:
    void write(std::string_view bytes);
    void write_compressed();
    void await_room();

    const int fd_;
    const std::string name_;
    const std::function<bool()> wanted_;
    const bool may_wait_;
    std::unique_ptr<Compressor> compressor_;
    ByteBuffer compressed_;
    std::atomic<std::uint64_t> written_{0};
};

}  // namespace filetree::report
