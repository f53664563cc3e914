#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "../fs/platform.hpp"
#include "../fs/unique_fd.hpp"
#include "../fs/whole_io.hpp"
#include "csv_row.hpp"
#include "file_writer.hpp"
#include "filetree/checkpoint.hpp"
#include "pwal_format.hpp"

namespace filetree {
namespace {

constexpr std::size_t piece_size = std::size_t{64} << 20U;

// Copies what is in a file from `offset` on, within the kernel where it can.
class Copier {
   public:
    Copier(int to, const std::string& to_name, const std::function<bool()>& wanted)
        : to_(to), to_name_(to_name), wanted_(wanted) {}

    void copy(const std::string& path, off_t offset) {
        const UniqueFd from(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (!from) throw SystemError(errno, path);
        bool in_kernel = true;
        while (wanted_()) {
            const ssize_t copied = in_kernel ? copy_in_kernel(from.get(), offset)
                                             : copy_through_memory(from.get(), path, offset);
            if (copied == 0 && !in_kernel) return;
            if (copied == 0) in_kernel = false;  // the end, or a file system that cannot
            offset += copied;
        }
        throw SystemError(ECANCELED, to_name_);
    }

   private:
    ssize_t copy_in_kernel(int from, off_t offset) {
        const ssize_t copied = platform::copy_range(from, offset, to_, piece_size);
        if (copied >= 0) return copied;
        if (errno == ENOSPC || errno == EIO || errno == EDQUOT || errno == EFBIG) {
            throw SystemError(errno, to_name_);
        }
        return 0;
    }

    ssize_t copy_through_memory(int from, const std::string& path, off_t offset) {
        buffer_.resize(std::size_t{1} << 20U);
        ssize_t got = 0;
        do {
            got = ::pread(from, buffer_.data(), buffer_.size(), offset);
        } while (got < 0 && errno == EINTR);
        if (got < 0) throw SystemError(errno, path);
        const std::string_view bytes(buffer_.data(), static_cast<std::size_t>(got));
        if (const int error = write_all(to_, bytes)) throw SystemError(error, to_name_);
        return got;
    }

    const int to_;
    const std::string& to_name_;
    const std::function<bool()>& wanted_;
    std::string buffer_;
};

}  // namespace

// Several zstd frames, or gzip members, one after the other are a file of that format.
void write_parts(const Checkpoint& checkpoint, const TextOptions& text, int fd,
                 const std::string& name, const std::function<bool()>& wanted) {
    const bool binary = text.format == TextFormat::binary;
    report::FileWriter file(fd, name, text.compression);
    if (binary) {
        std::uint64_t records = 0;
        for (const Checkpoint::Part& part : checkpoint.parts()) records += part.rows;
        report::ByteBuffer header;
        report::pwal::append_header(records, checkpoint.totals().started, header);
        file.put(header.view());
    } else if (text.header) {
        file.put(report::csv_header);
    }
    file.finish();

    Copier copier(fd, name, wanted);
    for (const Checkpoint::Part& part : checkpoint.parts()) {
        if (part.bytes == 0) continue;
        const off_t begin = binary ? static_cast<off_t>(report::pwal::header_size) : 0;
        copier.copy(checkpoint.path_of(part), begin);
    }
}

}  // namespace filetree
