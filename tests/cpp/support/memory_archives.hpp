#pragma once

// Archives that exist only in memory: written, and read as a source or through a file system.

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "filetree/fs.hpp"
#include "source.hpp"

namespace filetree::testing {

// Writes an archive with libarchive.
class ArchiveWriter {
   public:
    using Setup = std::function<int(archive*)>;

    explicit ArchiveWriter(const Setup& format = archive_write_set_format_gnutar,
                           const Setup& filter = archive_write_add_filter_none)
        : handle_(archive_write_new()) {
        check(format(handle_));
        check(filter(handle_));
        archive_write_set_bytes_in_last_block(handle_, 1);
        check(archive_write_open(handle_, &bytes_, nullptr, &append, nullptr));
    }
    ~ArchiveWriter() { archive_write_free(handle_); }
    ArchiveWriter(const ArchiveWriter&) = delete;
    ArchiveWriter& operator=(const ArchiveWriter&) = delete;

    ArchiveWriter& file(const std::string& name, std::string_view content) {
        return add(name, AE_IFREG, content, nullptr);
    }
    ArchiveWriter& directory(const std::string& name) { return add(name, AE_IFDIR, {}, nullptr); }
    ArchiveWriter& symlink(const std::string& name, const char* target) {
        return add(name, AE_IFLNK, {}, target);
    }
    ArchiveWriter& hard_link(const std::string& name, const char* target) {
        return add(name, 0, {}, target);
    }
    ArchiveWriter& fifo(const std::string& name) { return add(name, AE_IFIFO, {}, nullptr); }

    [[nodiscard]] std::string finish() {
        check(archive_write_close(handle_));
        return std::move(bytes_);
    }

   private:
    ArchiveWriter& add(const std::string& name, unsigned type, std::string_view content,
                       const char* target) {
        archive_entry* const entry = archive_entry_new();
        archive_entry_set_pathname(entry, name.c_str());
        archive_entry_set_mode(entry, type | 0644U);
        archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
        if (type == AE_IFLNK) archive_entry_set_symlink(entry, target);
        if (type == 0) archive_entry_set_hardlink(entry, target);
        check(archive_write_header(handle_, entry));
        if (!content.empty()) (void)archive_write_data(handle_, content.data(), content.size());
        archive_entry_free(entry);
        return *this;
    }
    static la_ssize_t append(archive* /*handle*/, void* self, const void* bytes, std::size_t size) {
        static_cast<std::string*>(self)->append(static_cast<const char*>(bytes), size);
        return static_cast<la_ssize_t>(size);
    }
    void check(int status) {
        // A warning is about a name that is not of the locale's charset; it is written as it is.
        if (status < ARCHIVE_WARN) ADD_FAILURE() << archive_error_string(handle_);
    }

    archive* handle_;
    std::string bytes_;
};

class MemorySource final : public compare::Source {
   public:
    explicit MemorySource(std::string bytes) : bytes_(std::move(bytes)) {}

    [[nodiscard]] const std::string& name() const noexcept override { return name_; }
    [[nodiscard]] std::optional<std::uint64_t> size() const noexcept override {
        if (!has_size) return {};
        return bytes_.size();
    }
    [[nodiscard]] std::size_t read_at(std::uint64_t offset, std::span<char> out) override {
        const std::size_t first = std::min<std::size_t>(offset, bytes_.size());
        const std::size_t length = std::min(bytes_.size() - first, out.size());
        std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(first), length, out.begin());
        read += length;
        return length;
    }
    void check_unchanged() override {}

    bool has_size = true;
    std::uint64_t read = 0;

   private:
    const std::string name_ = "it";
    const std::string bytes_;
};

// Files by name, each of some bytes.
class MemoryFileSystem final : public FileSystem {
   public:
    struct Entry {
        std::string bytes;
        std::uint64_t inode = 0;
        std::function<int()> on_read;  // an errno
        std::uint32_t changes = 0;     // shows in ctime
    };
    std::map<std::string, Entry> files;

    void set(const std::string& name, std::string bytes) {
        files[name] = {std::move(bytes), ++last_inode_, {}, 0};
    }

    Result<std::shared_ptr<File>> open_file(const std::string& path,
                                            CallContext& /*context*/) override {
        const auto found = files.find(path);
        if (found == files.end()) return Result<std::shared_ptr<File>>::failure(ENOENT);
        return {std::make_shared<OpenFile>(found->second), 0};
    }
    Result<std::shared_ptr<Directory>> open(const std::string& /*path*/, CallContext& /*context*/,
                                            bool /*follow*/) override {
        return Result<std::shared_ptr<Directory>>::failure(ENOTDIR);
    }
    StatResult attributes(const std::string& path, bool /*follow*/, StatMask /*mask*/,
                          CallContext& /*context*/) override {
        StatResult result;
        result.attributes.mode = 0100644;
        result.error = files.contains(path) ? 0 : ENOENT;
        return result;
    }
    [[nodiscard]] bool has_mounts_below(const std::string& /*path*/) const override {
        return false;
    }
    [[nodiscard]] std::size_t descriptor_budget() const override { return 1000; }

   private:
    class OpenFile final : public File {
       public:
        explicit OpenFile(Entry& entry) : entry_(entry) {}

        StatResult attributes() override {
            StatResult result;
            result.attributes.mode = 0100644;
            result.attributes.inode = entry_.inode;
            result.attributes.size = entry_.bytes.size();
            result.attributes.blocks = entry_.bytes.size();
            result.attributes.ctime.seconds = entry_.changes;
            return result;
        }
        bool has_true_size() override { return true; }
        Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) override {
            if (entry_.on_read) {
                if (const int error = entry_.on_read()) {
                    return Result<std::size_t>::failure(error);
                }
            }
            const std::size_t first = std::min<std::size_t>(offset, entry_.bytes.size());
            return {entry_.bytes.copy(out.data(), out.size(), first), 0};
        }
        std::optional<std::uint64_t> next_data(std::uint64_t offset) override { return offset; }
        std::vector<Extent> shared_extents(bool /*sync*/) override { return {}; }

       private:
        Entry& entry_;
    };

    std::uint64_t last_inode_ = 0;
};

}  // namespace filetree::testing
