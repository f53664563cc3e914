#include "filetree/synthetic_fs.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>

namespace filetree {
namespace {

constexpr std::uint32_t names_per_read = 1024;
constexpr std::uint64_t synthetic_device = 0x5f5;
constexpr std::int64_t epoch = 1'600'000'000;  // 2020-09-13T12:26:40Z

// splitmix64's finalizer (Steele, Lea and Flood, 2014): an inode for each path.
std::uint64_t mix(std::uint64_t x) noexcept {
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31U);
}

std::uint64_t child_inode(std::uint64_t parent, bool directory, std::uint32_t index) noexcept {
    const std::uint64_t slot = (std::uint64_t{index} << 1U) | (directory ? 1U : 0U);
    return (mix(parent + 0x9e3779b97f4a7c15ULL * (slot + 1)) >> 2U) + 2;
}

Attributes directory_attributes(std::uint64_t inode) noexcept {
    Attributes a;
    a.inode = inode;
    a.device = a.mount_id = synthetic_device;
    a.size = SyntheticTree::directory_size;
    a.blocks = 8;
    a.links = 2;
    a.mode = 0040755;
    a.uid = a.gid = 1000;
    a.atime = a.mtime = a.ctime = {epoch, 0};
    return a;
}

Attributes file_attributes(std::uint64_t inode, std::uint32_t index) noexcept {
    Attributes a = directory_attributes(inode);
    a.size = SyntheticTree::file_size(index);
    a.blocks = (a.size + 511) / 512;
    a.links = 1;
    a.mode = 0100644;
    a.uid = 1000 + index % 7;
    a.mtime = {epoch + index, index % 1'000'000'000U};
    return a;
}

struct Entry {
    bool directory = false;
    std::uint32_t index = 0;
};

// The entry that a name stands for; its index is not yet checked against the tree's shape.
bool parse(std::string_view name, Entry& out) noexcept {
    constexpr std::string_view suffix = ".dat";
    out.directory = name.starts_with('d');
    if (!out.directory) {
        if (!name.starts_with('f') || !name.ends_with(suffix)) return false;
        name.remove_suffix(suffix.size());
    }
    name.remove_prefix(1);
    if (name.size() > 1 && name.starts_with('0')) return false;  // each entry has one name
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), out.index);
    return error == std::errc{} && end == name.data() + name.size();
}

std::string_view format(Entry entry, char (&buffer)[16]) noexcept {
    buffer[0] = entry.directory ? 'd' : 'f';
    char* end = std::to_chars(buffer + 1, buffer + sizeof buffer, entry.index).ptr;
    if (!entry.directory) end = std::copy_n(".dat", 4, end);
    return {buffer, static_cast<std::size_t>(end - buffer)};
}

class SyntheticDirectory final : public Directory {
   public:
    SyntheticDirectory(const SyntheticTree& tree, std::uint32_t level, std::uint64_t inode)
        : tree_(tree), level_(level), inode_(inode) {}

    Result<bool> read(Listing& out, CallContext& context) override {
        const std::uint64_t total = std::uint64_t{subdirectories()} + tree_.files;
        const std::uint64_t end = std::min(total, position_ + names_per_read);
        char buffer[16];
        for (; position_ < end; ++position_) {
            const bool directory = position_ < subdirectories();
            const auto index =
                static_cast<std::uint32_t>(directory ? position_ : position_ - subdirectories());
            out.add(format({directory, index}, buffer),
                    directory ? EntryType::directory : EntryType::regular);
        }
        context.beat();
        return {position_ < total, 0};
    }

    std::size_t stat(const Listing& names, std::size_t first, std::size_t last, StatMask /*mask*/,
                     StatResult* out, CallContext& context) override {
        for (std::size_t i = first; i < last; ++i, ++out) {
            if (context.stop_requested()) return i - first;
            context.at(i);
            Entry entry;
            out->error = find(names.name(i), entry) ? 0 : ENOENT;
            if (out->error != 0) continue;
            const std::uint64_t inode = child_inode(inode_, entry.directory, entry.index);
            out->attributes =
                entry.directory ? directory_attributes(inode) : file_attributes(inode, entry.index);
        }
        context.beat();
        return last - first;
    }

    Result<std::shared_ptr<Directory>> open(const char* name, CallContext& context) override {
        context.beat();
        Entry entry;
        using Opened = Result<std::shared_ptr<Directory>>;
        if (!find(name, entry)) return Opened::failure(ENOENT);
        if (!entry.directory) return Opened::failure(ENOTDIR);
        return {std::make_shared<SyntheticDirectory>(tree_, level_ + 1,
                                                     child_inode(inode_, true, entry.index)),
                0};
    }

    StatResult attributes(CallContext& context) override {
        context.beat();
        return {directory_attributes(inode_), 0};
    }

   private:
    [[nodiscard]] std::uint32_t subdirectories() const noexcept {
        return level_ < tree_.depth ? tree_.directories : 0;
    }
    [[nodiscard]] bool find(std::string_view name, Entry& out) const noexcept {
        return parse(name, out) && out.index < (out.directory ? subdirectories() : tree_.files);
    }

    SyntheticTree tree_;
    std::uint32_t level_;
    std::uint64_t inode_;
    std::uint64_t position_ = 0;
};

class SyntheticFileSystem final : public FileSystem {
   public:
    explicit SyntheticFileSystem(const SyntheticTree& tree) : tree_(tree) {}

    Result<std::shared_ptr<Directory>> open(const std::string& /*path*/,
                                            CallContext& context) override {
        context.beat();
        return {std::make_shared<SyntheticDirectory>(tree_, 0, 1), 0};
    }
    [[nodiscard]] std::size_t descriptor_budget() const override {
        return std::numeric_limits<std::size_t>::max() / 2;
    }

   private:
    SyntheticTree tree_;
};

}  // namespace

std::uint64_t SyntheticTree::total_directories() const noexcept {
    std::uint64_t level = 1;
    std::uint64_t total = 0;
    for (std::uint32_t i = 0; i < depth; ++i) total += level *= directories;
    return total;
}

std::uint64_t SyntheticTree::total_files() const noexcept {
    return (total_directories() + 1) * files;
}

std::uint64_t SyntheticTree::total_file_bytes() const noexcept {
    std::uint64_t in_one = 0;
    for (std::uint32_t i = 0; i < files; ++i) in_one += file_size(i);
    return (total_directories() + 1) * in_one;
}

SyntheticTree synthetic_tree_of(std::uint64_t files) noexcept {
    SyntheticTree tree{0, 100, 0};
    if (files <= tree.files) {
        tree.files = static_cast<std::uint32_t>(files);
        return tree;
    }
    tree.directories = 10;
    while (tree.total_files() < files) ++tree.depth;
    while (tree.directories > 1) {
        SyntheticTree narrower = tree;
        --narrower.directories;
        if (narrower.total_files() < files) break;
        tree = narrower;
    }
    return tree;
}

std::shared_ptr<FileSystem> make_synthetic_file_system(const SyntheticTree& tree) {
    return std::make_shared<SyntheticFileSystem>(tree);
}

}  // namespace filetree
